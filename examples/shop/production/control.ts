/** How the shop's people start and stop a part: `node control.ts FOLDER start|stop postgres|api|pipeline`. */
import { loadShop, PARTS, type Part, startPart, stopPart } from './shop.ts';

const [folder, verb, name] = process.argv.slice(2);
const part = PARTS.find((known): known is Part => known === name);
if (!folder || !part || (verb !== 'start' && verb !== 'stop')) {
  process.stderr.write(`usage: node control.ts FOLDER start|stop ${PARTS.join('|')}\n`);
  process.exit(2);
}
const shop = await loadShop(folder);
await (verb === 'start' ? startPart(shop, part) : stopPart(shop, part));
