import { holdCommand } from '../repository/hold.ts';

export const command = holdCommand('hold');
