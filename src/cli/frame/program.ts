/** From specifications of commands to a commander program: arguments, help, completion of what was mistyped. */
import { Command, CommanderError } from 'commander';
import { closest } from '#base';
import type { CommandSpec, ExitCode } from '../command.ts';
import { errors } from '../errors.ts';

/** What the command line asked for; the frame runs it. */
export type Invocation = {
  spec: CommandSpec;
  args: readonly unknown[];
  options: Record<string, unknown>;
};

export type Parsed =
  | { kind: 'run'; invocation: Invocation }
  /** Help or the version was asked for and has been printed. */
  | { kind: 'shown' };

export type Catalogue = {
  commands: readonly CommandSpec[];
  /** What a group of commands (`repo`) is about. */
  groups: Readonly<Record<string, string>>;
  version: string;
};

/** Throws `cli/usage` or `cli/unknown-command`. Nothing of a command is run. */
export function parseCommandLine(catalogue: Catalogue, argv: readonly string[]): Parsed {
  let invocation: Invocation | undefined;
  const program = buildProgram(catalogue, (found) => {
    invocation = found;
  });
  try {
    program.parse([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0 || error.code === 'commander.help') return { kind: 'shown' };
    throw usageError(error, catalogue, argv);
  }
  return invocation === undefined ? { kind: 'shown' } : { kind: 'run', invocation };
}

/** What `--help` shows of the command with these words; none: of all. Throws `cli/unknown-command`. */
export function helpText(catalogue: Catalogue, words: readonly string[]): string {
  let command = buildProgram(catalogue, () => {});
  for (const word of words) {
    const next = command.commands.find((known) => known.name() === word);
    if (!next) {
      const names = catalogue.commands.map((spec) => spec.path.join(' '));
      throw errors.unknownCommand([words.join(' '), closest(words.join(' '), names)]);
    }
    command = next;
  }
  let shown = '';
  command.configureOutput({
    writeOut: (text) => {
      shown += text;
    },
  });
  command.outputHelp();
  return shown;
}

function buildProgram(catalogue: Catalogue, onRun: (invocation: Invocation) => void): Command {
  const program = new Command('holdfast');
  configure(program);
  program
    .description('Automated data resilience: protect an environment, bring it back to the second.')
    .version(catalogue.version, '-V, --version', 'show the version')
    .option('--json', JSON_OPTION)
    .addHelpText('after', `\n${EPILOGUE}`)
    .action(() => {
      program.outputHelp();
    });
  for (const spec of catalogue.commands) {
    const parent = groupOf(program, spec.path.slice(0, -1), catalogue.groups);
    addCommand(parent, spec, onRun);
  }
  return program;
}

const JSON_OPTION = 'print JSON for programs instead of text for people';
const EPILOGUE = 'First steps: holdfast init, holdfast plan, holdfast up. Each has --help.';

function configure(command: Command): void {
  command.exitOverride();
  // Errors are printed by the frame, in its own manner.
  command.configureOutput({ writeErr() {} });
  command.helpCommand(false);
  command.helpOption('-h, --help', 'show this help');
}

function groupOf(
  program: Command,
  path: readonly string[],
  groups: Readonly<Record<string, string>>,
): Command {
  let parent = program;
  for (const [depth, name] of path.entries()) {
    let group = parent.commands.find((command) => command.name() === name);
    if (!group) {
      group = parent.command(name);
      configure(group);
      group.description(groups[path.slice(0, depth + 1).join(' ')] ?? '');
      const itself = group;
      group.action(() => {
        itself.outputHelp();
      });
    }
    parent = group;
  }
  return parent;
}

function addCommand(
  parent: Command,
  spec: CommandSpec,
  onRun: (invocation: Invocation) => void,
): void {
  const name = spec.path.at(-1) as string;
  // A command may also be the head of a group (`findings` and `findings close`).
  const command = parent.commands.find((known) => known.name() === name) ?? parent.command(name);
  configure(command);
  command.description(spec.summary);
  for (const [syntax, description] of spec.arguments ?? []) command.argument(syntax, description);
  for (const [flags, description, fallback] of spec.options ?? []) {
    // `<value>...`: one value each time, given as often as wanted; unlike `<value...>` it takes no argument along.
    if (flags.endsWith('>...')) command.option(flags, description, gathered);
    else command.option(flags, description, fallback);
  }
  command.option('--json', JSON_OPTION);
  command.addHelpText('after', () => `\n${afterHelp(spec, command)}`);
  command.action((...received: unknown[]) => {
    // commander hands over: each argument, the options, the command itself.
    const args = received.slice(0, -2);
    onRun({ spec, args, options: command.optsWithGlobals() });
  });
}

function gathered(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

export const EXIT_MEANINGS: Record<ExitCode, string> = {
  0: 'done',
  1: 'failed',
  2: 'usage or invalid input',
  3: 'partly done, what is missing is named',
  4: 'refused by policy or access',
  5: 'not found',
  6: 'a verdict is fail or unknown, or something is unprotected',
  130: 'interrupted',
};

/** Where nothing tells how wide the output is. */
const HELP_COLUMNS = 80;
const EXIT_COLUMNS = 3;

function afterHelp(spec: CommandSpec, command: Command): string {
  const lines = [spec.examples.length === 1 ? 'Example:' : 'Examples:'];
  for (const example of spec.examples) lines.push(`  ${example}`);
  const exits = { ...spec.exits };
  exits[0] ??= EXIT_MEANINGS[0];
  exits[2] ??= EXIT_MEANINGS[2];
  exits[130] ??= EXIT_MEANINGS[130];
  lines.push('', 'Exit codes:');
  const help = command.createHelp();
  help.prepareContext({ helpWidth: command.configureOutput().getOutHelpWidth?.() ?? HELP_COLUMNS });
  for (const [code, meaning] of Object.entries(exits)) {
    lines.push(help.formatItem(code, EXIT_COLUMNS, meaning, help));
  }
  return lines.join('\n');
}

function usageError(error: CommanderError, catalogue: Catalogue, argv: readonly string[]) {
  const unknown = /unknown command '(.*?)'/.exec(error.message)?.[1];
  // Options of a mistyped command are unknown too: the command is what was wrong.
  const mayBeStray = ['commander.excessArguments', 'commander.unknownOption'].includes(error.code);
  const stray = mayBeStray ? strayCommand(catalogue, argv) : unknown;
  if (stray !== undefined) {
    const names = catalogue.commands.map((spec) => spec.path.join(' '));
    return errors.unknownCommand([stray, closest(stray, names)]);
  }
  // commander puts its suggestion on a line of its own: "(Did you mean --repo?)".
  const [first = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const what = suggestion === undefined ? first : `${first} ${suggestion}`;
  return errors.usage([what, commandOf(catalogue, argv)]);
}

/** The words of a command that doesn't exist, where the excess argument stands in the place of one. */
function strayCommand(catalogue: Catalogue, argv: readonly string[]): string | undefined {
  const words = argv.filter((word) => !word.startsWith('-'));
  const isCommand = catalogue.commands.some((spec) =>
    spec.path.every((part, at) => words[at] === part),
  );
  if (isCommand || words[0] === undefined || argv[0]?.startsWith('-')) return undefined;
  const isGroup = catalogue.commands.some((spec) => spec.path[0] === words[0]);
  if (isGroup && words.length < 2) return undefined;
  return isGroup ? words.slice(0, 2).join(' ') : words[0];
}

function commandOf(catalogue: Catalogue, argv: readonly string[]): string {
  const words = argv.filter((word) => !word.startsWith('-'));
  const spec = catalogue.commands.find((one) => one.path.every((part, at) => words[at] === part));
  return spec ? `holdfast ${spec.path.join(' ')}` : 'holdfast';
}
