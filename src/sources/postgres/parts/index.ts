/** Tables and rows of a running copy: into production, compared, asked. */
import type { TableParts } from '../../parts.ts';
import { compareCopies } from './compare.ts';
import { holdsInCopy } from './holds.ts';
import { takeTables } from './take.ts';
import { undoMerge } from './undo.ts';

export const tableParts: TableParts = {
  take: takeTables,
  undo: undoMerge,
  compare: compareCopies,
  holds: holdsInCopy,
};
