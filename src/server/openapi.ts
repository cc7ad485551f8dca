/** The API's description, made from the routes' own schemas. */
import { quietLogger, Secret } from '#base';
import { createApi } from './api.ts';
import type { Operations } from './operations.ts';

/** JSON text, the same for the same routes; no server is needed for it. */
export async function openApiText(version: string): Promise<string> {
  const api = await createApi({
    operations: noOperations(),
    token: new Secret('none'),
    version,
    log: quietLogger,
  });
  await api.ready();
  const described = withoutUnused(api.swagger());
  await api.close();
  return `${JSON.stringify(described, null, 2)}\n`;
}

/** Each named schema is given twice, as it is sent and as it is received: only what a route refers to is kept. */
function withoutUnused(described: object): object {
  const { components, ...rest } = described as { components: { schemas: Record<string, object> } };
  const texts = { paths: JSON.stringify(rest) };
  const kept: Record<string, object> = {};
  for (let grew = true; grew; ) {
    grew = false;
    for (const [name, schema] of Object.entries(components.schemas)) {
      const referred = Object.values(texts).some((text) =>
        text.includes(`"#/components/schemas/${name}"`),
      );
      if (!referred || name in kept) continue;
      kept[name] = schema;
      Object.assign(texts, { [name]: JSON.stringify(schema) });
      grew = true;
    }
  }
  return { ...rest, components: { ...components, schemas: kept } };
}

/** Describing calls none of them. */
function noOperations(): Operations {
  return new Proxy({} as Operations, {
    get: (_target, name) => () => {
      throw new Error(`${String(name)} is not for describing`);
    },
  });
}
