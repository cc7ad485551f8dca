/** A user's own price list, from a file. */
import fs from 'node:fs/promises';
import { messageOf } from '#base';
import { errors } from '../errors.ts';
import type { PriceList } from './estimate-cost.ts';

/** JSON in the shape of `PriceList`. Throws `repository/prices-invalid`. */
export async function readPriceList(file: string): Promise<PriceList> {
  let json: unknown;
  try {
    json = JSON.parse(await fs.readFile(file, 'utf8'));
  } catch (error) {
    throw errors.pricesInvalid([file, messageOf(error)], { cause: error });
  }
  const list = (json ?? {}) as Partial<PriceList>;
  const pair = (value: unknown) => {
    const { standard, data } = (value ?? {}) as { standard?: unknown; data?: unknown };
    return isPrice(standard) && isPrice(data);
  };
  const wrong =
    (typeof list.source !== 'string' && 'source') ||
    (typeof list.currency !== 'string' && 'currency') ||
    (!pair(list.perGibMonth) && 'perGibMonth') ||
    (!pair(list.perThousandWrites) && 'perThousandWrites') ||
    (!isPrice(list.perThousandReads) && 'perThousandReads');
  if (wrong) throw errors.pricesInvalid([file, `${wrong} is missing or no price`]);
  return list as PriceList;
}

function isPrice(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
