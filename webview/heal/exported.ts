// The curve as a picture for others.
import type { ChartOption, Colours } from '../chart';
import { margins } from './frame';
import { lossOption } from './lossChart';
import { overlayName } from './marks';
import type { RunView } from './view';

/** For a file, which has nothing around it: with a legend, without what only a mouse needs or only the moment means. */
export function exportedOption(view: RunView, colours: Colours, widthPx: number, heightPx: number): ChartOption {
  const option = lossOption(view, colours, widthPx, heightPx);
  const lines = ['train', 'train, smoothed'].map((name) => ({ name, itemStyle: { opacity: 0 } }));
  const marked = ['held out', ...view.overlays.map(overlayName)].map((name) => ({ name }));
  return {
    ...option,
    series: (option.series as { id: string }[]).filter(({ id }) => id !== 'now' && id !== 'next'),
    dataZoom: [],
    legend: {
      data: [...lines, ...marked],
      left: margins.left,
      bottom: 0,
      itemWidth: 22,
      itemHeight: 10,
      itemGap: 14,
      textStyle: { color: colours.foreground, fontSize: 11, fontFamily: colours.font },
    },
  };
}
