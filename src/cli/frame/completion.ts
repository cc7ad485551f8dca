/** Completion scripts, made from the specifications: commands by their words, options by their long flags. */
import type { CommandSpec } from '../command.ts';
import { errors } from '../errors.ts';

/** Throws `cli/usage` for a shell that isn't known. */
export function completionScript(shell: string, commands: readonly CommandSpec[]): string {
  if (shell === 'bash') return bashScript(commands);
  if (shell === 'zsh')
    return `#compdef holdfast\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(commands)}`;
  if (shell === 'fish') return fishScript(commands);
  throw errors.usage([
    `no completion for "${shell}": bash, zsh and fish are known`,
    'holdfast completion',
  ]);
}

function longFlags(spec: CommandSpec): string[] {
  const flags = (spec.options ?? []).flatMap(([syntax]) => syntax.match(/--[a-z][a-z-]*/g) ?? []);
  return [...flags, '--json', '--help'];
}

/** What may follow each beginning of a command: '' → every first word, 'repo' → its verbs and options. */
function nextWords(commands: readonly CommandSpec[]): Map<string, Set<string>> {
  const next = new Map<string, Set<string>>();
  const add = (prefix: string, word: string) => {
    const words = next.get(prefix) ?? new Set();
    words.add(word);
    next.set(prefix, words);
  };
  for (const spec of commands) {
    for (const [depth, word] of spec.path.entries()) add(spec.path.slice(0, depth).join(' '), word);
    for (const flag of longFlags(spec)) add(spec.path.join(' '), flag);
  }
  return next;
}

function bashScript(commands: readonly CommandSpec[]): string {
  const cases = [...nextWords(commands)].map(
    ([prefix, words]) => `    '${prefix}') words='${[...words].join(' ')}' ;;`,
  );
  return `_holdfast() {
  local current=\${COMP_WORDS[COMP_CWORD]} prefix='' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in -*) ;; *) prefix="\${prefix:+$prefix }$word" ;; esac
  done
  while :; do
    case $prefix in
${cases.join('\n')}
    esac
    if [ -n "$words" ] || [ -z "$prefix" ]; then break; fi
    case $prefix in *' '*) prefix=\${prefix% *} ;; *) break ;; esac
  done
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _holdfast holdfast`;
}

function fishScript(commands: readonly CommandSpec[]): string {
  const quote = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`;
  const seen = (words: readonly string[]) =>
    words.length === 0
      ? '__fish_use_subcommand'
      : words.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
  const lines = ['complete -c holdfast -f'];
  for (const spec of commands) {
    const words = [...spec.path];
    for (const [depth, word] of words.entries()) {
      const isLast = depth === words.length - 1;
      const about = isLast ? ` -d ${quote(spec.summary)}` : '';
      lines.push(
        `complete -c holdfast -n ${quote(seen(words.slice(0, depth)))} -a ${word}${about}`,
      );
    }
    for (const flag of longFlags(spec)) {
      lines.push(`complete -c holdfast -n ${quote(seen(words))} -l ${flag.slice(2)}`);
    }
  }
  return [...new Set(lines)].join('\n');
}
