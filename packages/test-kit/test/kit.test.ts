import session from 'express-session';
import { expect, test } from 'vitest';
import { failure, serve } from '../src/index.js';

test('a call that should fail and does not fails the test', async () => {
  await expect(failure(Promise.resolve())).rejects.toThrow('the call should have failed');
  expect(await failure(Promise.reject(new Error('down')))).toMatchObject({ message: 'down' });
});

test('a browser keeps its cookie, and no other browser has it', async () => {
  const application = await serve(new session.MemoryStore());
  const browser = application.browser();
  await browser.go('/login/ada');
  await browser.go('/');
  expect(await browser.go('/')).toEqual({ status: 200, body: 'ada 2' });
  expect(await application.browser().go('/')).toMatchObject({ status: 401 });
});
