/** Options that say which environment is meant, where a server protects several. */
export const SCOPE_OPTIONS = [
  ['--environment <name>', 'which environment, where several are protected'],
  ['-e, --stage <stage>', 'which stage of it'],
] as const;

export function scopeFrom(options: Record<string, unknown>) {
  const { environment, stage } = options;
  return {
    ...(typeof environment === 'string' ? { environment } : {}),
    ...(typeof stage === 'string' ? { stage } : {}),
  };
}
