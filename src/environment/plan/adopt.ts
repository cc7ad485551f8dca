/** The repository of an environment, as lines of holdfast.yaml or put into a file that is there. */
import { parseDocument, stringify } from 'yaml';
import { errors } from '../errors.ts';

export type RepositoryReference = {
  url: string;
  /** A reference (`${NAME}`, `${file:/path}`), never the password itself. */
  password: string;
};

/** With a newline at the end. */
export function repositoryLines({ url, password }: RepositoryReference): string {
  return stringify({ repository: { url, password } }, { lineWidth: 0 });
}

/**
 * The text with this repository; comments and everything else stay, what is set beside `url` and `password` too.
 * Undefined where it names the same one already. Throws `environment/not-yaml` where the text is no YAML.
 */
export function withRepository(
  file: string,
  text: string,
  reference: RepositoryReference,
): string | undefined {
  const document = parseDocument(text);
  const [wrong] = document.errors;
  if (wrong) throw errors.notYaml([file, wrong.message.split('\n')[0] ?? '']);
  const isSame =
    document.getIn(['repository', 'url']) === reference.url &&
    document.getIn(['repository', 'password']) === reference.password;
  if (isSame) return undefined;
  for (const [field, value] of Object.entries(reference)) {
    document.setIn(['repository', field], value);
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
