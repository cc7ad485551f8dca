import type { Reporter, TestModule } from 'vitest/node';

/** Prints the run's last line, `N passed, N failed[, N skipped]`, which continuous integration reads. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state] += 1;
      if (module.state() === 'failed' && module.errors().length > 0) count.failed += 1;
    }
    const skipped = count.skipped + count.pending;
    const tail = skipped > 0 ? `, ${skipped} skipped` : '';
    // The default reporter writes its summary in the same hook: let it finish first.
    process.on('exit', () => {
      process.stdout.write(`${count.passed} passed, ${count.failed} failed${tail}\n`);
    });
  }
}
