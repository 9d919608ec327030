"use strict";

const PERIOD_MS = 2000;
const LABELS = ["", "", "Read", "Waiting", "To deliver", "Retrying", "Parked", "Last read", "Last write"];
const number = new Intl.NumberFormat();
let seen_at = null;

/* Text is set only when it differs, so that screen readers are told of changes and of nothing else. */
function put(id, text, class_name) {
  const element = document.getElementById(id);
  if (element.textContent !== text) element.textContent = text;
  if (class_name !== undefined && element.className !== class_name) element.className = class_name;
}

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

function age(stamp, now) { return Math.max(0, (new Date(now) - new Date(stamp)) / 1000); }

function ago(stamp, now) {
  if (!stamp) return "–";
  const seconds = age(stamp, now);
  return seconds < 2 ? "just now" : `${duration(seconds)} ago`;
}

function cell(row, text, class_name, ...notes) {
  const label = LABELS[row.cells.length];
  const td = row.insertCell();
  td.textContent = text;
  td.className = class_name || "";
  if (label) td.dataset.label = label;
  for (const note of notes.filter(Boolean)) {
    const small = document.createElement("small");
    small.textContent = note;
    td.append(small);
  }
}

function count(row, value, is_alarm) {
  cell(row, number.format(value), `number ${value === 0 ? "zero" : is_alarm ? "care" : ""}`);
}

/* Refused webhooks are told for a day; what was refused long ago is in the numbers of /v1/systems. */
function refused(system, now) {
  if (!system.hook_refused_at || age(system.hook_refused_at, now) > 86400) return null;
  const many = `${number.format(system.hooks_refused_count)} webhook${system.hooks_refused_count === 1 ? "" : "s"}`;
  return `${many} refused, last ${ago(system.hook_refused_at, now)}: ${system.hook_refusal}`;
}

function show_system(body, system, now) {
  const row = body.insertRow();
  const name = document.createElement("th");
  name.scope = "row";
  name.textContent = system.title || system.system;
  const source = document.createElement("small");
  source.textContent = `${system.system} · ${system.connector}`;
  name.append(source);
  row.append(name);
  const is_running = system.state === "running";
  const works = system.is_reached ? ["healthy", "good"] : ["not reached yet", "care"];
  const [word, colour] = !is_running ? [system.state, "care"] : system.is_healthy ? works : ["failing", "bad"];
  cell(row, word, `health ${colour}`, system.last_error, refused(system, now));
  count(row, system.read_count, false);
  count(row, system.waiting_count, false);
  count(row, system.stale_count, false);
  count(row, system.retrying_count, true);
  count(row, system.parked_changes + system.parked_deliveries, true);
  cell(row, ago(system.read_ok_at, now), system.read_ok_at ? "time" : "time zero");
  cell(row, ago(system.write_ok_at, now), system.write_ok_at ? "time" : "time zero");
}

function show_none(body, text) {
  const row = body.insertRow();
  row.className = "none";
  const td = row.insertCell();
  td.colSpan = LABELS.length;
  td.textContent = text;
}

function summary(status, failing, parked) {
  if (!status.is_ready) return ["Ready. Put definitions in force: comity apply", ""];
  const many = status.systems.length;
  if (failing) return [`${failing} of ${many} ${many === 1 ? "system" : "systems"} failing`, "bad"];
  if (status.trial_balance !== 0) return ["The ledger does not balance", "bad"];
  if (parked) return [`All systems healthy, ${number.format(parked)} parked: comity parked list`, "care"];
  const fresh = status.systems.filter((system) => !system.is_reached).length;
  if (fresh) return [`${fresh} of ${many} ${many === 1 ? "system" : "systems"} not reached yet`, "care"];
  return [many === 1 ? "The system is healthy" : `All ${many} systems healthy`, "good"];
}

function show(status) {
  for (const id of ["profile_count", "member_count", "points_outstanding", "waiting_count"]) {
    put(id, number.format(status[id]));
  }
  put("trial_balance", number.format(status.trial_balance), status.trial_balance ? "bad" : "");
  put("trial_balance_note", status.trial_balance ? "trial balance: must be 0" : "trial balance");
  put("lag", status.oldest_waiting_at ? duration(age(status.oldest_waiting_at, status.now)) : "none");
  put("revision", status.revision ? `Definitions: revision ${status.revision}.` : "");
  const is_bad = (system) => system.state !== "running" || !system.is_healthy;
  const failing = status.systems.filter(is_bad).length;
  const parked = status.systems.reduce((sum, each) => sum + each.parked_changes + each.parked_deliveries, 0);
  const [text, class_name] = summary(status, failing, parked);
  put("state", text, class_name);
  document.title = failing ? `(${failing}) Comity` : "Comity";
  const body = document.getElementById("systems");
  body.replaceChildren();
  if (!status.systems.length) show_none(body, "No system is connected yet. comity apply puts a project in force.");
  for (const system of [...status.systems].sort((a, b) => is_bad(b) - is_bad(a))) show_system(body, system, status.now);
}

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/v1/status", { cache: "no-store" });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      show(await answer.json());
      seen_at = new Date();
      document.body.classList.remove("away");
      put("seen", "Refreshed every two seconds.");
    } catch (error) {
      document.body.classList.add("away");
      put("state", "The hub does not answer", "bad");
      put("seen", seen_at ? `Last seen ${seen_at.toLocaleTimeString()}.` : "");
    }
  }
  setTimeout(refresh, PERIOD_MS);
}

refresh();
