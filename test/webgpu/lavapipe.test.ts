// All jobs on Mesa's lavapipe, a Vulkan device in software that has f16.
import { lavapipeDriver } from '../softwareDevices';
import { describeGolden } from './golden';

describeGolden(lavapipeDriver, ['f32', 'f16']);
