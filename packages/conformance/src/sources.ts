/** Words of express-session's documentation or code, verbatim but for line breaks, and where they stand. */
export interface Source {
  readonly quote: string;
  readonly url: string;
}

const at = (path: string) => (quote: string) => ({
  quote,
  url: `https://github.com/expressjs/session/blob/v1.19.0/${path}`,
});

const stores = at('README.md#session-store-implementation');
const get = at('README.md#storegetsid-callback');
const set = at('README.md#storesetsid-session-callback');
const destroy = at('README.md#storedestroysid-callback');
const touch = at('README.md#storetouchsid-session-callback');
const middleware = at('index.js');

/** The places that requirements quote. */
export const source = {
  emitter: stores('Every session store _must_ be an `EventEmitter` and implement specific methods.'),
  required: stores('Required methods are ones that this module will always call on the store.'),
  recommended: stores('Recommended methods are ones that this module will call on the store if available.'),
  base: middleware('store.createSession(req, sess)'),
  get: get('This required method is used to get a session from the store given a session ID (`sid`).'),
  absent: get(
    "The `session` argument should be a session if found, otherwise `null` or `undefined` if the session was not found (and there was no error). A special case is made when `error.code === 'ENOENT'` to act like `callback(null, null)`.",
  ),
  set: set(
    'This required method is used to upsert a session into the store given a session ID (`sid`) and session (`session`) object.',
  ),
  setAnswer: set(
    'The callback should be called as `callback(error)` once the session has been set in the store.',
  ),
  destroy: destroy(
    'This required method is used to destroy/delete a session from the store given a session ID (`sid`).',
  ),
  destroyAnswer: destroy(
    'The `callback` should be called as `callback(error)` once the session is destroyed.',
  ),
  touch: touch(
    'This recommended method is used to "touch" a given session given a session ID (`sid`) and session (`session`) object.',
  ),
  touchAnswer: touch(
    'The `callback` should be called as `callback(error)` once the session has been touched.',
  ),
  idle: touch(
    'This is primarily used when the store will automatically delete idle sessions and this method is used to signal to the store the given session is active, potentially resetting the idle timer.',
  ),
  all: at('README.md#storeallcallback')(
    'This optional method is used to get all sessions in the store as an array.',
  ),
  length: at('README.md#storelengthcallback')(
    'This optional method is used to get the count of all sessions in the store.',
  ),
  clear: at('README.md#storeclearcallback')(
    'This optional method is used to delete all sessions from the store.',
  ),
  maxAge: at('README.md#cookiemaxage-1')(
    'Alternatively `req.session.cookie.maxAge` will return the time remaining in milliseconds, which we may also re-assign a new value to adjust the `.expires` property appropriately.',
  ),
  expires: at('README.md#cookiemaxage')(
    'This is done by taking the current server time and adding `maxAge` milliseconds to the value to calculate an `Expires` datetime.',
  ),
  noExpires: at('README.md#cookieexpires')('By default, no expiration is set'),
  originalMaxAge: at('README.md#cookieoriginalmaxage')(
    'The `req.session.cookie.originalMaxAge` property returns the original `maxAge` (time-to-live), in milliseconds, of the session cookie.',
  ),
  cookie: at('README.md#reqsessioncookie')('Each session has a unique cookie object accompany it.'),
  genid: at('README.md#genid')('Provide a function that returns a string that will be used as a session ID.'),
  uniqueId: at('README.md#reqsessionid')('Each session has a unique ID associated with it.'),
  json: at('README.md#reqsession')(
    'is (generally) serialized as JSON by the store, so nested objects are typically fine',
  ),
  save: at('README.md#sessionsavecallback')(
    'Save the session back to the store, replacing the contents on the store with the contents in memory',
  ),
  autosave: at('README.md#sessionsavecallback')(
    'This method is automatically called at the end of the HTTP response if the session data has been altered',
  ),
  reload: at('README.md#sessionreloadcallback')(
    'Reloads the session data from the store and re-populates the `req.session` object.',
  ),
  regenerate: at('README.md#sessionregeneratecallback')(
    'Once complete, a new SID and `Session` instance will be initialized at `req.session`',
  ),
  logout: at('README.md#sessiondestroycallback')(
    'Destroys the session and will unset the `req.session` property.',
  ),
  resave: at('README.md#resave')(
    'Forces the session to be saved back to the session store, even if the session was never modified during the request.',
  ),
  race: at('README.md#resave')(
    'it can also create race conditions where a client makes two parallel requests to your server and changes made to the session in one request may get overwritten when the other request ends',
  ),
  rolling: at('README.md#rolling')(
    'The expiration is reset to the original [`maxAge`](#cookiemaxage), resetting the expiration countdown.',
  ),
  saveUninitialized: at('README.md#saveuninitialized')(
    'Forces a session that is "uninitialized" to be saved to the store.',
  ),
  unset: at('README.md#unset')('The session will be destroyed (deleted) when the response ends.'),
  unsetKeep: at('README.md#unset')(
    'The session in the store will be kept, but modifications made during the request are ignored and not saved.',
  ),
  callsTouch: middleware('store.touch(req.sessionID, req.session, function ontouch(err) {'),
  onError: middleware('if (err) { defer(next, err); }'),
  bareDestroy: at('session/session.js')('this.req.sessionStore.destroy(this.id, fn);'),
} as const satisfies Record<string, Source>;
