/** holdfast.schema.json: what editors know of holdfast.yaml, made from the same schemas that check it. */
import { z } from 'zod';
import { environmentSchema } from './schema/environment.ts';
import { LATER_STORE_TYPES } from './schema/not-yet.ts';
import { storePart } from './schema/store.ts';
import type { SourceSchemas } from './validate.ts';

type Json = Record<string, unknown>;

/** The schema as a JSON value, draft 7. Deterministic: the same for the same schemas. */
export function environmentJsonSchema(sourceSchemas: SourceSchemas): Json {
  const whole = draft7(environmentSchema);
  const properties = whole.properties as Record<string, Json>;
  const common = draft7(storePart);
  properties.stores = {
    ...properties.stores,
    additionalProperties: {
      oneOf: [
        ...Object.entries(sourceSchemas).map(([type, schema]) => storeOf(type, common, schema)),
        excludedStore(common, Object.keys(sourceSchemas)),
      ],
    },
  };
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'holdfast.yaml',
    description: 'An environment: what must come back together, and how it is protected.',
    ...whole,
  };
}

/** As it is committed. */
export function environmentJsonSchemaText(sourceSchemas: SourceSchemas): string {
  return `${JSON.stringify(environmentJsonSchema(sourceSchemas), null, 2)}\n`;
}

function draft7(schema: z.ZodType): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    target: 'draft-7',
    io: 'input',
    unrepresentable: 'any',
  }) as Json;
  return json;
}

/** One kind of store: the common fields and its source's own, and no other. */
function storeOf(type: string, common: Json, schema: z.ZodType): Json {
  const own = draft7(schema);
  const shared = common.properties as Record<string, Json>;
  return {
    title: `a ${type} store`,
    type: 'object',
    properties: {
      ...shared,
      type: { ...shared.type, const: type },
      protect: withoutNone(shared.protect as Json),
      ...(own.properties as Record<string, Json>),
    },
    required: [...(common.required as string[]), ...((own.required as string[]) ?? [])],
    additionalProperties: false,
  };
}

/** `protect: none` is the alternative below, where a reason belongs to it. */
function withoutNone(protect: Json): Json {
  const alternatives = (protect.anyOf as Json[]).map((each) =>
    Array.isArray(each.enum)
      ? { ...each, enum: each.enum.filter((word) => word !== 'none') }
      : each,
  );
  return { ...protect, anyOf: alternatives };
}

function excludedStore(common: Json, types: readonly string[]): Json {
  const shared = common.properties as Record<string, Json>;
  return {
    title: 'a store that is not protected',
    type: 'object',
    properties: {
      ...shared,
      type: { ...shared.type, enum: [...types, ...LATER_STORE_TYPES] },
      protect: { const: 'none', description: 'left out, with the reason in because' },
    },
    required: ['type', 'protect', 'because'],
  };
}
