import { it } from 'vitest';
import { startWorkbench } from './workbench';
import { cpSync, statSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
it('starts', async () => {
  const t0 = Date.now();
  const lap = (s: string) => console.log(Date.now() - t0, s);
  const wb = await startWorkbench({
    vsix: '/tmp/wb/espalier.vsix',
    fill: (w) => cpSync('test/fixtures/stories260k', join(w, 'stories260k'), { recursive: true }),
  });
  lap('started');
  try {
    const ext = readdirSync(join(wb.userData, '../extensions'));
    console.log(ext);
    console.log(
      statSync(
        join(wb.userData, '../extensions', ext.find((e) => e.startsWith('espalier'))!, 'node/bin/node'),
      ).mode.toString(8),
    );
    const w = await wb.openWindow();
    lap('window');
    await w.file('stories260k').waitFor();
    lap('explorer');
    await w.command('View: Toggle Panel Visibility');
    lap('palette');
    wb.setSettings({ 'workbench.colorTheme': 'Light Modern' });
    await w.themed('light');
    lap('light');
    await w.chooseFromMenu(w.file('stories260k'), 'Copy Path');
    lap('menu');
    await w.page.screenshot({ path: '/tmp/wb/1.png' });
    console.log(w.problems);
  } finally {
    await wb.end();
    lap('ended');
  }
});
