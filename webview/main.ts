// The pages' entry. The host serves dist/webview.js and dist/webview.css in a document such as
//   <head> <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'nonce-N';
//            style-src CSPSOURCE 'nonce-N'; font-src CSPSOURCE; img-src CSPSOURCE">
//          <meta property="csp-nonce" content="N">      the toolkit asks for it before it tries a selector
//          <link rel="stylesheet" href="webview.css"> </head>
//   <body data-page="chooseBlocks"> <main></main> <script nonce="N" src="webview.js"></script> </body>
// with data-page one of chooseBlocks, try, run, heal and evaluate. The page asks page/open; everything else follows from the answer.
import { host } from './witness';
import { mountChooseBlocks } from './choose/page';
import { mountEvaluate } from './evaluate/page';
import { mountHeal } from './heal/page';
import { sentenceOf } from './host';
import { mountRun } from './run/page';
import { mountTry } from './try/page';

const root = document.querySelector('main') ?? document.body.appendChild(document.createElement('main'));
void host.ask('page/open', {}).then(
  (opened) => {
    if (opened.page === 'chooseBlocks') mountChooseBlocks(root, host, opened.state);
    else if (opened.page === 'try') mountTry(root, host, opened.state);
    else if (opened.page === 'heal') mountHeal(root, host, opened.state);
    else if (opened.page === 'evaluate') mountEvaluate(root, host, opened.state);
    else mountRun(root, host, opened.state);
    painted();
  },
  (error) => {
    root.className = 'panel';
    root.textContent = sentenceOf(error);
  },
);

/** After the frame in which the page first showed something. */
function painted(): void {
  requestAnimationFrame(() =>
    setTimeout(() => host.tell('page/painted', { atEpochMs: Date.now(), scriptMs: performance.now() })),
  );
}
