import { errors } from '../errors.ts';
import type { Storage } from './storage.ts';

const CHANGING: readonly (string | symbol)[] = ['write', 'remove', 'removeAll', 'removeLeftovers'];

/**
 * The same storage, in which nothing can be changed, by mistake either. Whatever would change it throws
 * `repository/read-only`.
 */
export function readOnly(storage: Storage): Storage {
  return new Proxy(storage, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      if (!CHANGING.includes(property)) return value.bind(target);
      return async (name: unknown) => {
        throw errors.readOnly([target.location, typeof name === 'string' ? name : 'its files']);
      };
    },
  });
}
