// How many bits the device holds for a number of a matrix, as a field of a form: one of the widths, or what the setting says.
import { html, type TemplateResult } from 'lit';
import type { WeightsOption } from '../../server/protocol/recipes';
import { weightsLabels } from '../../server/shared/weightWidths';
import { dropdown } from './controls';

const ofSetting = 'setting';
const choices = [
  { value: ofSetting, label: 'as set' },
  ...Object.entries(weightsLabels).map(([value, label]) => ({ value, label })),
];

/** @param value null: as the setting says */
export const weightsField = (
  value: WeightsOption | null,
  onChange: (value: WeightsOption | null) => void,
): TemplateResult => html`
  <div class="field"><span>Matrices</span>${dropdown({
    id: 'weights',
    label: 'Matrices held as',
    choices,
    value: value ?? ofSetting,
    onChange: (chosen) => onChange(chosen === ofSetting ? null : (chosen as WeightsOption)),
  })}</div>`;
