/** The command line's entry: `bin/holdfast` runs this file. */
import { commandByName } from './commands/by-name.ts';
import { boundHeapGrowth } from './frame/heap-growth.ts';
import { runCommandLine } from './frame/run.ts';
import { productVersion } from './frame/version.ts';

boundHeapGrowth();
const words = process.argv.slice(2);
const named = await commandByName(words);
const { commands, groups } = named
  ? { commands: [named], groups: {} }
  : await import('./commands/all.ts');
const code = await runCommandLine({ commands, groups, version: productVersion() }, words);
// Ends also where a library left a timer or a socket open: what was said has been written by now.
process.exit(code);
