/** The WAL of a Postgres store as its journal: streamed without pause, read again, and searched for instants. */
export { postgresJournal } from './stream.ts';
