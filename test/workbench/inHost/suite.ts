// Runs inside the extension host, beside the installed extension: every test of the table, one after the other.
import * as vscode from 'vscode';
import { hostTests, resultOf } from './tests';

export async function run(): Promise<void> {
  for (const [name, test] of Object.entries(hostTests)) {
    const error = await test(vscode).then(
      () => null,
      (thrown: unknown) => String(thrown instanceof Error ? thrown.stack : thrown),
    );
    console.log(resultOf.write({ name, error }));
  }
}
