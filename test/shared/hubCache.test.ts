// Where Hugging Face's caches are. The rows are what huggingface_hub 2.4 (constants.HF_HUB_CACHE, HF_TOKEN_PATH) and datasets
// (config.HF_DATASETS_CACHE) have with these variables and the home folder /home/me.
import { describe, expect, it } from 'vitest';
import { cacheFolderOf, hubPlaces } from '../../server/shared/hubCache';

describe("Hugging Face's caches", () => {
  const plain = '/home/me/.cache/huggingface';
  it.each([
    [{}, `${plain}/hub`, `${plain}/datasets`],
    [{ XDG_CACHE_HOME: '/x' }, '/x/huggingface/hub', '/x/huggingface/datasets'],
    [{ HF_HOME: '/h' }, '/h/hub', '/h/datasets'],
    [{ HF_HOME: '/h', XDG_CACHE_HOME: '/x' }, '/h/hub', '/h/datasets'],
    [{ HUGGINGFACE_HUB_CACHE: '/old' }, '/old', `${plain}/datasets`],
    [{ HF_HUB_CACHE: '/new', HUGGINGFACE_HUB_CACHE: '/old', HF_HOME: '/h' }, '/new', '/h/datasets'],
    [{ HUGGINGFACE_HUB_CACHE: '/old', HF_HOME: '/h' }, '/old', '/h/datasets'],
    [{ HF_DATASETS_CACHE: '/d' }, `${plain}/hub`, '/d'],
    [{ HF_HOME: '~/hf' }, '/home/me/hf/hub', '/home/me/hf/datasets'],
    [{ HF_HOME: '$SCRATCH/hf', SCRATCH: '/s' }, '/s/hf/hub', '/s/hf/datasets'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: that is how a shell writes it
    [{ HF_HUB_CACHE: '${SCRATCH}/hub', SCRATCH: '/s' }, '/s/hub', `${plain}/datasets`],
    [{ HF_HUB_CACHE: '', HF_HOME: '' }, `${plain}/hub`, `${plain}/datasets`],
  ])('of %j', (environment, hub, datasets) => {
    expect(hubPlaces(environment, '/home/me')).toMatchObject({ hub, datasets });
  });

  it.each([
    [{}, `${plain}/token`],
    [{ HF_HOME: '/h', HF_HUB_CACHE: '/c' }, '/h/token'],
    [{ XDG_CACHE_HOME: '/x' }, '/x/huggingface/token'],
    [{ HF_TOKEN_PATH: '~/t', HF_HOME: '/h' }, '/home/me/t'],
  ])('of %j have the token in %s', (environment, tokenFile) => {
    expect(hubPlaces(environment, '/home/me').tokenFile).toBe(tokenFile);
  });

  it('call a repository by its kind, owner and name', () => {
    expect(cacheFolderOf('models', 'HuggingFaceTB/SmolLM2-135M')).toBe('models--HuggingFaceTB--SmolLM2-135M');
    expect(cacheFolderOf('datasets', 'wikitext')).toBe('datasets--wikitext');
  });
});
