/**
 * Fields of `/proc/PID/stat` (Linux: proc(5)) from the third on, the state, as they are written. The name of the program
 * before them stands in parentheses and may hold anything, so they are counted from the last `)`.
 */
export function processFields(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
