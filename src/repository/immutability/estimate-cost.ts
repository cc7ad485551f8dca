/** What a repository in a bucket costs a month: bytes and requests of each store, by a price list that may be another one. */

export type PriceList = {
  /** Whose prices, from when: shown with every estimate, because it is an assumption. */
  source: string;
  currency: string;
  /** For a GiB that lies there for a month, by class. */
  perGibMonth: { standard: number; data: number };
  /** For 1,000 requests that write or list, by class. */
  perThousandWrites: { standard: number; data: number };
  /** For 1,000 requests that read or look. */
  perThousandReads: number;
};

/** List prices without discounts and taxes; data is taken for standard, too, unless another list is given. */
export const DEFAULT_PRICES: PriceList = {
  source:
    'Amazon S3 Standard, us-east-1, first 50 TB, list price as of 2025-01 (assumed: check your own)',
  currency: 'USD',
  perGibMonth: { standard: 0.023, data: 0.023 },
  perThousandWrites: { standard: 0.005, data: 0.005 },
  perThousandReads: 0.0004,
};

/** What one store does, as measured or planned. */
export type StoreActivity = {
  store: string;
  /** Of data that its snapshots need, after deduplication. */
  storedBytes: number;
  /** New bytes that captures store, a day. */
  newBytesPerDay: number;
  capturesPerDay: number;
  journalPiecesPerDay: number;
  journalBatchesPerDay: number;
};

export type CostOptions = {
  prices?: PriceList;
  packSizeBytes?: number;
  /** Days for which new files are locked; 0 for not at all. */
  lockDays?: number;
  /** How often locks are extended, days. */
  maintenanceEveryDays?: number;
};

export type StoreCost = {
  store: string;
  /** In use, and what locks keep beyond that at most. */
  storedBytes: number;
  keptByLocksBytes: number;
  writesPerMonth: number;
  readsPerMonth: number;
  costPerMonth: number;
};

export type CostEstimate = {
  currency: string;
  stores: StoreCost[];
  costPerMonth: number;
  assumptions: string[];
};

const DAYS = 30;
const GIB = 2 ** 30;
const DEFAULT_PACK_BYTES = 16 * 2 ** 20;

/** Lock file taken and released, index and its copy, snapshot and its copy, tree pack, record, recovery point. */
const WRITES_PER_CAPTURE = 8;
/** Lists of locks before and after taking one, and of indexes and snapshots. */
const LISTS_PER_CAPTURE = 4;
const READS_PER_CAPTURE = 4;
/** A watermark an hour while idle. */
const WATERMARKS_PER_DAY = 24;

export function estimateCost(
  stores: readonly StoreActivity[],
  options: CostOptions = {},
): CostEstimate {
  const { prices = DEFAULT_PRICES, lockDays = 0 } = options;
  const costs = stores.map((store) => storeCost(store, { ...options, prices }));
  return {
    currency: prices.currency,
    stores: costs,
    costPerMonth: costs.reduce((sum, { costPerMonth }) => sum + costPerMonth, 0),
    assumptions: [
      `prices: ${prices.source}`,
      `packs of ${(options.packSizeBytes ?? DEFAULT_PACK_BYTES) / 2 ** 20} MiB, months of ${DAYS} days`,
      lockDays > 0
        ? `files are locked for ${lockDays} days; what is replaced meanwhile is paid until then`
        : 'nothing is locked',
      'without restores and checks, which read what they need, and without traffic',
    ],
  };
}

function storeCost(
  activity: StoreActivity,
  options: CostOptions & { prices: PriceList },
): StoreCost {
  const { prices, packSizeBytes = DEFAULT_PACK_BYTES, lockDays = 0 } = options;
  const packsPerDay = activity.newBytesPerDay / packSizeBytes;
  const small =
    activity.capturesPerDay * (WRITES_PER_CAPTURE + LISTS_PER_CAPTURE) +
    activity.journalPiecesPerDay +
    activity.journalBatchesPerDay * (WRITES_PER_CAPTURE + LISTS_PER_CAPTURE) +
    WATERMARKS_PER_DAY;
  const objects = activity.storedBytes / packSizeBytes + activity.capturesPerDay * DAYS * 4;
  const locks = lockRequests(objects, options);
  const smallWrites = small * DAYS + locks.writes;
  const dataWrites = packsPerDay * DAYS;
  const reads =
    (activity.capturesPerDay + activity.journalBatchesPerDay) * READS_PER_CAPTURE * DAYS +
    locks.reads;
  const keptByLocksBytes = activity.newBytesPerDay * lockDays;
  const bytes = activity.storedBytes + keptByLocksBytes;
  return {
    store: activity.store,
    storedBytes: activity.storedBytes,
    keptByLocksBytes,
    writesPerMonth: Math.ceil(smallWrites + dataWrites),
    readsPerMonth: Math.ceil(reads),
    costPerMonth:
      (bytes / GIB) * prices.perGibMonth.data +
      (smallWrites / 1_000) * prices.perThousandWrites.standard +
      (dataWrites / 1_000) * prices.perThousandWrites.data +
      (reads / 1_000) * prices.perThousandReads,
  };
}

/** Each maintenance looks at every object, and extends a lock when less than two maintenances are left of it. */
function lockRequests(
  objects: number,
  { lockDays = 0, maintenanceEveryDays = 7 }: CostOptions,
): { reads: number; writes: number } {
  if (lockDays === 0) return { reads: 0, writes: 0 };
  const reads = objects * (DAYS / maintenanceEveryDays);
  const extendedEveryDays = Math.max(lockDays - 2 * maintenanceEveryDays, maintenanceEveryDays);
  return { reads, writes: objects * (DAYS / extendedEveryDays) };
}
