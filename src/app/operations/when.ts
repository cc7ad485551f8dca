/** WHEN as the API takes it, as recovery takes it. */
import type { When } from '#recovery';
import type { RecoveryRequest } from '#server';

export function whenOf(to: RecoveryRequest['to']): When {
  if (to.kind === 'lsn') return { kind: 'lsn', lsn: BigInt(to.lsn) };
  if (to.kind !== 'before-mark') return to;
  const { kind, markKind, name } = to;
  return { kind, markKind, ...(name === undefined ? {} : { name }) };
}
