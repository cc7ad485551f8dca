/** The WAL of a Postgres store as its journal: streamed without pause, read again, and searched for instants. */
export { WalDecoder } from './decode.ts';
export type { WalEnd, WalEvent } from './event.ts';
export { parseHistory } from './history.ts';
export { currentPosition } from './position.ts';
export { resolve } from './resolve.ts';
export { slotName } from './slot.ts';
export { postgresJournal } from './stream.ts';
