/** Capture: moves a source into the repository as snapshots, and its journal as pieces. */
export {};
