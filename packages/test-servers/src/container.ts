import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Instance } from './instance.js';
import { startKeeper } from './keeper.js';
import { freePort } from './port.js';
import { reason } from './program.js';
import { commandLine, type Log, type Recipe, type Setup } from './recipe.js';

/** A server in a container; rejects when there is no Docker daemon or the image is not to be had. */
export async function startContainer(
  recipe: Recipe,
  options: Pick<Setup, 'args' | 'persist'>,
  log: Log,
): Promise<Instance> {
  if (!mayHaveDocker()) throw new Error('no Docker daemon: neither DOCKER_HOST nor a docker.sock');
  const { GenericContainer, getContainerRuntimeClient } = await import('testcontainers');
  const { container: docker } = await getContainerRuntimeClient();

  const image = process.env[recipe.imageVariable] || recipe.image;
  const setup = { ...options, host: '0.0.0.0', port: recipe.containerPort, directory: '/tmp' };
  log(`starting a container of ${image}`);
  const started = await new GenericContainer(image)
    .withCommand(commandLine(recipe, recipe.command, setup))
    // A port that Docker chooses changes with every restart.
    .withExposedPorts({ container: recipe.containerPort, host: await freePort() })
    .start()
    .catch((error: unknown) => {
      log(`no container: ${reason(error)}`);
      throw error;
    });

  const container = docker.getById(started.getId());
  // Where the reaper of testcontainers is disabled, nobody else would end it.
  const reaped = process.env['TESTCONTAINERS_RYUK_DISABLED'] !== 'true';
  const keeper = reaped ? undefined : await startKeeper();
  keeper?.last(`docker rm --force --volumes ${started.getId()}`);
  let paused = false;

  const instance: Instance = {
    host: started.getHost(),
    port: started.getMappedPort(recipe.containerPort),
    async pause() {
      await container.pause();
      paused = true;
    },
    async resume() {
      await container.unpause();
      paused = false;
    },
    async kill() {
      if (paused) await instance.resume();
      const { State } = await container.inspect();
      if (State.Running) await container.kill();
    },
    async start() {
      await container.start();
    },
    fault: () => undefined,
    async end() {
      await instance.kill();
      await started.stop();
      keeper?.last(':');
      await keeper?.end();
    },
  };
  return instance;
}

/** Decided by looking at the usual places, because loading testcontainers takes half a second. */
function mayHaveDocker(): boolean {
  const { DOCKER_HOST, XDG_RUNTIME_DIR } = process.env;
  if (DOCKER_HOST || process.platform === 'win32') return true;
  const home = homedir();
  return [
    '/var/run/docker.sock',
    join(XDG_RUNTIME_DIR || `/run/user/${process.getuid?.()}`, 'docker.sock'),
    join(home, '.docker/run/docker.sock'),
    join(home, '.docker/desktop/docker.sock'),
    join(home, '.testcontainers.properties'),
  ].some((place) => existsSync(place));
}
