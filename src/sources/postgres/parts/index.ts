/** Tables and rows of a running copy: into production, compared, asked. */
import type { TableParts } from '../../parts.ts';
import { holdsInCopy } from './holds.ts';
import { takeTables } from './take.ts';
import { undoMerge } from './undo.ts';

export const tableParts: Omit<TableParts, 'compare'> = {
  take: takeTables,
  undo: undoMerge,
  holds: holdsInCopy,
};
