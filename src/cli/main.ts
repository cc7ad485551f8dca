/** The command line's entry: `bin/holdfast` runs this file. */
import { commands, groups } from './commands/all.ts';
import { runCommandLine } from './frame/run.ts';
import { productVersion } from './frame/version.ts';

const code = await runCommandLine(
  { commands, groups, version: productVersion() },
  process.argv.slice(2),
);
// Ends also where a library left a timer or a socket open: what was said has been written by now.
process.exit(code);
