// All jobs on SwiftShader, Chromium's Vulkan device in software, which has no f16.
import { swiftShaderDriver } from '../softwareDevices';
import { describeGolden } from './golden';

describeGolden(swiftShaderDriver, ['f32']);
