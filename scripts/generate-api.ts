/** The API's description from the routes' schemas, and the client's types from the description. */
import { findPackageJSON } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import packageFacts from '../package.json' with { type: 'json' };
import { openApiText } from '../src/server/index.ts';

const root = path.resolve(import.meta.dirname, '..');

/** Files relative to the project's root, as they must be. */
export async function apiFiles(): Promise<{ file: string; text: string }[]> {
  const description = await openApiText(packageFacts.version);
  return [
    { file: 'openapi.json', text: description },
    { file: 'src/cli/generated/api.ts', text: await clientTypes(description) },
  ];
}

type OpenApiTypescript = {
  default(description: object): Promise<unknown>;
  astToString(nodes: unknown): string;
};

/** openapi-typescript needs a TypeScript of the 5 line, which lives in the console's workspace. */
async function clientTypes(description: string): Promise<string> {
  const inConsole = pathToFileURL(path.join(root, 'console/package.json'));
  const facts = findPackageJSON('openapi-typescript', inConsole);
  if (facts === undefined) throw new Error('openapi-typescript is not installed: npm ci');
  const entry = pathToFileURL(path.join(path.dirname(facts), 'dist/index.mjs')).href;
  const { default: openapiTS, astToString } = (await import(entry)) as OpenApiTypescript;
  const types = astToString(await openapiTS(JSON.parse(description)));
  return `/** Made from openapi.json by npm run generate. */\n${types}`;
}
