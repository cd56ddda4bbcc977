// The only module that imports echarts. A chart is drawn into an element, as SVG and in the editor's colours, and drawn again
// when the colours or the element's size change. Tooltips are our own (tooltip.ts), because those of echarts
// write styles that the content security policy forbids.
import { LineChart, ScatterChart } from 'echarts/charts';
import { DataZoomInsideComponent, DataZoomSliderComponent, GridComponent, LegendComponent } from 'echarts/components';
import { type ECharts, type EChartsCoreOption, init, use } from 'echarts/core';
import { CanvasRenderer, SVGRenderer } from 'echarts/renderers';
import { nothing } from 'lit';
import { AsyncDirective } from 'lit/async-directive.js';
import { directive, type ElementPart } from 'lit/directive.js';

use([
  LineChart,
  ScatterChart,
  GridComponent,
  DataZoomInsideComponent,
  DataZoomSliderComponent,
  LegendComponent,
  SVGRenderer,
  CanvasRenderer,
]);

/** The options of a chart, as echarts takes them. */
export type ChartOption = EChartsCoreOption;

export interface ChartOptions {
  /** The chart is drawn anew when it changes. */
  key: string;
  option: (colours: Colours, widthPx: number, heightPx: number) => ChartOption;
  /** For a chart that changes many times a second: it is drawn on a canvas, and only its series are replaced. */
  live?: boolean;
  /** The part of the horizontal axis that is shown has been changed with the mouse. */
  onZoom?: (from: number, to: number) => void;
  onPoint?: (point: Pointed) => void;
  onHover?: (point: Pointed | null, event: MouseEvent) => void;
}

/** The index of a series, and of a datum in it. */
export interface Pointed {
  seriesId: string;
  dataIndex: number;
}

export interface Colours {
  foreground: string;
  quiet: string;
  faint: string;
  background: string;
  predicted: string;
  measured: string;
  font: string;
}

/** `<div ${chart(options)}></div>`; the element gives the size. */
export const chart = directive(
  class extends AsyncDirective {
    private box: HTMLElement | undefined;
    private options: ChartOptions | undefined;
    private drawn: { chart: ECharts; key: string } | undefined;
    private resized: ResizeObserver | undefined;
    private themed: MutationObserver | undefined;

    render(_options: ChartOptions) {
      return nothing;
    }

    override update(part: ElementPart, [options]: [ChartOptions]) {
      this.options = options;
      if (!this.box) {
        this.box = part.element as HTMLElement;
        this.watch();
      } else if (this.drawn && this.drawn.key !== options.key) this.draw();
      return nothing;
    }

    protected override disconnected(): void {
      this.resized?.disconnect();
      this.themed?.disconnect();
      this.drawn?.chart.dispose();
      this.drawn = undefined;
    }

    protected override reconnected(): void {
      this.watch();
    }

    /** A size comes with the first observation, once the element is in the page. */
    private watch(): void {
      this.resized = new ResizeObserver(() => this.draw());
      this.resized.observe(this.box!);
      this.themed = new MutationObserver(() => this.draw());
      for (const element of [document.body, document.documentElement])
        this.themed.observe(element, { attributes: true, attributeFilter: ['class', 'style'] });
    }

    private draw(): void {
      const { clientWidth: width, clientHeight: height } = this.box!;
      if (width === 0 || height === 0) return;
      const chart = this.drawn?.chart ?? this.open();
      this.drawn = { chart, key: this.options!.key };
      chart.resize({ width, height });
      const option = { animation: false, ...this.options!.option(colours(), width, height) };
      chart.setOption(option, this.options!.live ? { replaceMerge: ['series'] } : { notMerge: true });
    }

    private open(): ECharts {
      const chart = init(this.box!, undefined, { renderer: this.options!.live ? 'canvas' : 'svg' });
      type Event = { seriesId?: string; dataIndex: number; event?: { event: unknown } };
      const pointed = ({ seriesId, dataIndex }: Event) => ({ seriesId: seriesId ?? '', dataIndex });
      chart.on('click', (event) => this.options?.onPoint?.(pointed(event as Event)));
      chart.on('mousemove', (event) =>
        this.options?.onHover?.(pointed(event as Event), (event as Event).event?.event as MouseEvent),
      );
      chart.on('datazoom', () => {
        const [zoom] = chart.getOption().dataZoom as { startValue: number; endValue: number }[];
        if (zoom) this.options?.onZoom?.(zoom.startValue, zoom.endValue);
      });
      chart.on('mouseout', (event) => this.options?.onHover?.(null, (event as Event).event?.event as MouseEvent));
      return chart;
    }
  },
);

/** The chart as a file: the text of an SVG, or a PNG in base64. It is drawn apart from the one on the page. */
export function pictureOf(
  option: ChartOptions['option'],
  kind: 'svg' | 'png',
  widthPx: number,
  heightPx: number,
): string {
  const size = { width: widthPx, height: heightPx };
  const chart =
    kind === 'svg'
      ? init(null, undefined, { renderer: 'svg', ssr: true, ...size })
      : init(document.createElement('div'), undefined, { renderer: 'canvas', devicePixelRatio: 2, ...size });
  try {
    const now = colours();
    chart.setOption({ animation: false, backgroundColor: now.background, ...option(now, widthPx, heightPx) });
    if (kind === 'svg') return chart.renderToSVGString();
    return chart.getDataURL({ type: 'png', pixelRatio: 2, backgroundColor: now.background }).replace(/^[^,]*,/, '');
  } finally {
    chart.dispose();
  }
}

function colours(): Colours {
  const style = getComputedStyle(document.body);
  const read = (name: string, otherwise: string) => style.getPropertyValue(name).trim() || otherwise;
  const foreground = read('--vscode-foreground', '#888');
  const contrast = document.body.classList.contains('vscode-high-contrast');
  return {
    foreground,
    quiet: read('--vscode-descriptionForeground', foreground),
    faint: seeThrough(foreground, contrast ? 0.4 : 0.14),
    background: read('--vscode-editor-background', '#fff'),
    predicted: read('--vscode-charts-blue', '#3794ff'),
    measured: read('--measured', '#d18616'),
    // echarts writes it into an attribute of an SVG without escaping the quotes around names.
    font: read('--vscode-font-family', 'sans-serif').replaceAll('"', "'"),
  };
}

/** `rgba(...)` instead of color-mix(), which not every program that opens an exported picture understands. */
function seeThrough(colour: string, opacity: number): string {
  const context = document.createElement('canvas').getContext('2d');
  if (!context) return colour;
  context.fillStyle = colour;
  const parts = /^#(..)(..)(..)$/.exec(context.fillStyle)?.slice(1);
  return parts ? `rgba(${parts.map((part) => Number.parseInt(part, 16)).join(', ')}, ${opacity})` : colour;
}
