import type { CommandSpec } from '../command.ts';

/** Of the commands handed in, because it is one of them itself. */
export const completionOf = (commands: () => readonly CommandSpec[]): CommandSpec => ({
  path: ['completion'],
  summary: 'print a completion script for your shell',
  arguments: [['<shell>', 'bash, zsh or fish']],
  examples: [
    'holdfast completion bash > /etc/bash_completion.d/holdfast',
    'holdfast completion zsh > ~/.zfunc/_holdfast',
    'holdfast completion fish > ~/.config/fish/completions/holdfast.fish',
  ],
  exits: { 2: 'a shell that is not known' },
  async run([shell], _options, io) {
    const { completionScript } = await import('../frame/completion.ts');
    const script = completionScript(String(shell), commands());
    io.say(script);
    io.result({ shell, script });
    return 0;
  },
});
