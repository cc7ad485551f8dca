/** Manual pages, made from the specifications of the commands: one for each, and one for all of them (man(7)). */
import type { CommandSpec, ExitCode } from '../command.ts';

export type ManualPage = { file: string; text: string };

export type ManualSource = {
  commands: readonly CommandSpec[];
  groups: Readonly<Record<string, string>>;
  version: string;
  /** What an exit code means in every command. */
  exits: Readonly<Record<ExitCode, string>>;
};

const VARIABLES: readonly (readonly [name: string, what: string])[] = [
  ['HOLDFAST_REPOSITORY', 'where the repository lies, for commands that take --repo'],
  ['HOLDFAST_PASSWORD', 'its password'],
  ['HOLDFAST_PASSWORD_FILE', 'a file that holds its password'],
  ['HOLDFAST_URL', 'the control plane to ask, where it is not the one of this machine'],
  ['HOLDFAST_TOKEN', 'the token for it'],
];

export function manualPages(source: ManualSource): ManualPage[] {
  return [overview(source), ...source.commands.map((spec) => pageOf(spec, source))];
}

const pageName = (spec: CommandSpec) => ['holdfast', ...spec.path].join('-');

function overview({ commands, groups, version, exits }: ManualSource): ManualPage {
  const lines = [
    ...head('holdfast', version),
    ...section('NAME', ['holdfast \\- protect an environment, and bring it back to the second']),
    ...section('SYNOPSIS', [`.B holdfast\n.I command\n.RI [ arguments ]\n.RI [ options ]`]),
    ...section('DESCRIPTION', [
      text(
        'Automated data resilience: every deployment is protected by itself, every recovery point can be brought back.',
      ),
      text('Each command has a page of its own, and --help.'),
    ]),
    '.SH COMMANDS',
  ];
  for (const spec of commands) {
    lines.push('.TP', `.BR ${text(pageName(spec))} (1)`, line(spec.summary));
  }
  lines.push('.SH GROUPS');
  for (const [group, about] of Object.entries(groups)) {
    lines.push('.TP', `.B holdfast ${text(group)}`, line(about));
  }
  lines.push(...exitLines(Object.entries(exits)), ...variableLines());
  return { file: 'holdfast.1', text: `${lines.join('\n')}\n` };
}

function pageOf(spec: CommandSpec, { version, exits }: ManualSource): ManualPage {
  const name = pageName(spec);
  const words = ['holdfast', ...spec.path].join(' ');
  const given = (spec.arguments ?? []).map(([syntax]) => `.I ${text(syntax)}`);
  const lines = [
    ...head(name, version),
    ...section('NAME', [`${text(name)} \\- ${text(spec.summary)}`]),
    ...section('SYNOPSIS', [`.B ${text(words)}`, ...given, '.RI [ options ]']),
  ];
  if (spec.arguments?.length) {
    lines.push('.SH ARGUMENTS');
    for (const [syntax, about] of spec.arguments) {
      lines.push('.TP', `.I ${text(syntax)}`, line(about));
    }
  }
  lines.push('.SH OPTIONS');
  for (const [flags, about, fallback] of optionsOf(spec)) {
    const preset = fallback === undefined ? '' : ` (by default ${fallback})`;
    lines.push('.TP', `.B ${text(flags)}`, line(`${about}${preset}`));
  }
  lines.push('.SH EXAMPLES');
  for (const example of spec.examples) lines.push('.PP', '.nf', line(example), '.fi');
  lines.push(...exitLines(Object.entries({ ...usual(exits), ...spec.exits })), ...variableLines());
  lines.push('.SH SEE ALSO', '.BR holdfast (1)');
  return { file: `${name}.1`, text: `${lines.join('\n')}\n` };
}

function usual(exits: ManualSource['exits']): Record<string, string> {
  return { 0: exits[0], 2: exits[2], 130: exits[130] };
}

function optionsOf(spec: CommandSpec): NonNullable<CommandSpec['options']> {
  return [
    ...(spec.options ?? []),
    ['--json', 'print JSON for programs instead of text for people'],
    ['-h, --help', 'show its help'],
  ];
}

function head(name: string, version: string): string[] {
  return [`.TH ${text(name.toUpperCase())} 1 "" "Holdfast ${text(version)}" "Holdfast"`];
}

function section(title: string, lines: readonly string[]): string[] {
  return [`.SH ${title}`, ...lines];
}

function exitLines(exits: readonly [string, string][]): string[] {
  const lines = ['.SH EXIT STATUS'];
  for (const [code, meaning] of exits) lines.push('.TP', `.B ${code}`, line(meaning));
  return lines;
}

function variableLines(): string[] {
  const lines = ['.SH ENVIRONMENT'];
  for (const [name, what] of VARIABLES) lines.push('.TP', `.B ${name}`, line(what));
  return lines;
}

/** A line of text, which mustn't be taken for a request. */
function line(content: string): string {
  const escaped = text(content);
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

/** Hyphens are minus signs, so that what is copied from a page works. */
function text(content: string): string {
  return content.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq');
}
