// The only module that knows echarts: an element that holds a chart, drawn as SVG in the editor's colours and redrawn
// when they or its size change. Tips are our own (tip.ts), because those of echarts write styles that the policy forbids.
import { LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import { type ECharts, type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { AsyncDirective } from 'lit/async-directive.js';
import { directive, type ElementPart } from 'lit/directive.js';
import { nothing } from 'lit';

use([LineChart, ScatterChart, GridComponent, SVGRenderer]);

export interface ChartOptions {
  /** The chart is drawn anew when it changes. */
  key: string;
  option: (colours: Colours, widthPx: number) => EChartsCoreOption;
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
      chart.setOption({ animation: false, ...this.options!.option(colours(), width) }, { notMerge: true });
    }

    private open(): ECharts {
      const chart = init(this.box!, undefined, { renderer: 'svg' });
      type Event = { seriesId?: string; dataIndex: number; event?: { event: unknown } };
      const pointed = ({ seriesId, dataIndex }: Event) => ({ seriesId: seriesId ?? '', dataIndex });
      chart.on('click', (event) => this.options?.onPoint?.(pointed(event as Event)));
      chart.on('mousemove', (event) =>
        this.options?.onHover?.(pointed(event as Event), (event as Event).event?.event as MouseEvent),
      );
      chart.on('mouseout', (event) => this.options?.onHover?.(null, (event as Event).event?.event as MouseEvent));
      return chart;
    }
  },
);

function colours(): Colours {
  const style = getComputedStyle(document.body);
  const read = (name: string, otherwise: string) => style.getPropertyValue(name).trim() || otherwise;
  const foreground = read('--vscode-foreground', '#888');
  const contrast = document.body.classList.contains('vscode-high-contrast');
  return {
    foreground,
    quiet: read('--vscode-descriptionForeground', foreground),
    faint: `color-mix(in srgb, ${foreground} ${contrast ? 40 : 14}%, transparent)`,
    background: read('--vscode-editor-background', '#fff'),
    predicted: read('--vscode-charts-blue', '#3794ff'),
    measured: read('--vscode-charts-orange', '#d18616'),
    font: read('--vscode-font-family', 'sans-serif'),
  };
}
