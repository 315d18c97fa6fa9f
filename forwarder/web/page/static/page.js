// What every view of the page does: local times, sign in, renewed parts, actions. Other modules are loaded where a view has their parts.
import { setUpActions } from './actions.js';
import { setUpRefresh } from './refresh.js';
import { setUpSignIn } from './sign_in.js';
import { localise } from './times.js';

document.documentElement.classList.add('with-js');
localise(document);
const current = document.querySelector('.top nav [aria-current]');
if (current) current.closest('nav').scrollLeft = current.offsetLeft - 40; // on a phone it may be out of sight
setUpActions();
setUpRefresh();
if (document.getElementById('sign-in')) setUpSignIn();
if (document.getElementById('login')) import('./login.js').then((module) => module.setUpLogin());
if (document.getElementById('plots')) import('./plots.js').then((module) => module.setUpPlots());
if (document.getElementById('tail')) import('./tail.js').then((module) => module.setUpTail());
if (document.getElementById('groups')) import('./dead.js').then((module) => module.setUpDead());
if (document.getElementById('rules')) import('./rules.js').then((module) => module.setUpRules());
