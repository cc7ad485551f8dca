/** Which of all its courses the short form of a campaign takes. */
import { randomBytes } from '#base';

/** One for every run of CI, as properties have it there: what a change broke isn't to hang on chance. */
export function campaignSeed(): number {
  return process.env.CI ? 1 : randomBytes(4).readUInt32LE();
}
