/** holdfast.schema.json, for editors of holdfast.yaml. */
import { allSourceSchemas, environmentJsonSchemaText } from '#environment';

export async function schemaFiles(): Promise<{ file: string; text: string }[]> {
  return [{ file: 'holdfast.schema.json', text: environmentJsonSchemaText(allSourceSchemas()) }];
}
