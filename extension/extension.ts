// The extension host's entry. The editor part is not written yet: package.json contributes nothing,
// so there is nothing to register here and nothing to let go of.

export function activate(): void {}

export function deactivate(): void {}
