/** What a server runs as its `restore_command`: once for each segment, and replay waits for it. */
import type { WalPlan } from './wal-plan.ts';

/** Of the folder: an empty file for each segment that the server has taken. */
export const TAKEN = 'taken';
/** Of the folder: names of segments that the server asked for once it had been given all, a line each. */
export const IN_VAIN = 'in-vain';
/** Of the folder: that all, or that nothing more, comes. */
export const COMPLETE = 'complete';
export const FAILED = 'failed';

/**
 * The script is read by the shell that the server starts for a command in any case: run by its name, it would have another
 * one started for each segment. One that isn't there stops the recovery.
 */
export function restoreCommand(script: string): string {
  const quoted = shellQuote(script).replaceAll('%', '%%');
  return `set -- "%f" "%p"; [ -r ${quoted} ] || exit 200; . ${quoted}`;
}

/**
 * Waits for a segment of the plan, puts a link to it where the server wants it, once, and answers "no" at once to
 * anything else. No program is started for it but the one that links: that would take longer than to replay some of the
 * segments. Statuses above 125 make Postgres stop the recovery (documentation of restore_command).
 */
export function restoreScript(folder: string, feederPid: number, plan: WalPlan): string {
  return `cd ${shellQuote(folder)} || exit 200
refuse() { [ -e ${COMPLETE} ] && echo "$1" >>${IN_VAIN}; exit 1; }
take() {
  [ -e "$1" ] && [ ! -e "${TAKEN}/$1" ] || return 1
  true >"${TAKEN}/$1" || exit 200
  exec ln -sf "$PWD/$1" "$2"
}
case "$1" in *.history) [ -e "$1" ] && exec cp "$1" "$OLDPWD/$2"; exit 1 ;; esac
${isPlanned(plan)} || refuse "$1"
until take "$1" "$OLDPWD/$2"; do
  [ -e ${FAILED} ] && exit 200
  [ -e ${COMPLETE} ] && { take "$1" "$OLDPWD/$2"; refuse "$1"; }
  [ -e /proc/${feederPid} ] || kill -0 ${feederPid} 2>/dev/null || exit 200
  sleep 0.005
done
`;
}

/** Segments of a timeline follow one another, and their names sort as they do. */
function isPlanned({ segments }: WalPlan): string {
  const lines = new Map<string, { first: string; last: string }>();
  for (const { name } of segments) {
    const line = name.slice(0, 8);
    lines.set(line, { first: lines.get(line)?.first ?? name, last: name });
  }
  const within = [...lines.values()].map(
    ({ first, last }) => `{ ! [ "$1" \\< ${first} ] && ! [ "$1" \\> ${last} ]; }`,
  );
  return ['false', ...within].join(' || ');
}

export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
