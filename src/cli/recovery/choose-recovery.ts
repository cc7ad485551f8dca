/** Which recovery is meant where none is named. */
import { errors } from '../errors.ts';
import type { RecoveryAccess } from './access.ts';
import type { ShownRecovery } from './report.ts';

/** Throws `cli/which-recovery` unless exactly one fits. */
export async function chooseRecovery(
  access: RecoveryAccess,
  id: unknown,
  fits: (recovery: ShownRecovery) => boolean,
): Promise<ShownRecovery> {
  if (id !== undefined) return await access.find(String(id));
  const fitting = (await access.list()).filter(fits);
  const [only] = fitting;
  if (only && fitting.length === 1) return only;
  throw errors.whichRecovery([fitting.map((one) => one.id).join(', ') || 'none']);
}
