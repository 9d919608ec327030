"use strict";

const PERIOD_MS = 2000;
const number = new Intl.NumberFormat();

function put(id, text) { document.getElementById(id).textContent = text; }

function ago(stamp, now) {
  if (!stamp) return "never";
  const seconds = Math.max(0, (new Date(now) - new Date(stamp)) / 1000);
  if (seconds < 2) return "just now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}

function cell(row, text, className, note) {
  const td = row.insertCell();
  td.textContent = text;
  if (className) td.className = className;
  if (note) {
    const small = document.createElement("small");
    small.textContent = note;
    td.append(small);
  }
}

function health(system) {
  if (system.state !== "running") return [system.state, "bad"];
  return system.is_healthy ? ["healthy", "good"] : ["failing", "bad cause"];
}

function show(status) {
  for (const id of ["profile_count", "member_count", "points_outstanding", "trial_balance", "waiting_count"]) {
    put(id, number.format(status[id]));
  }
  put("lag", status.oldest_waiting_at ? ago(status.oldest_waiting_at, status.now).replace(" ago", "") : "nothing");
  put("revision", status.revision ? `Definitions: revision ${status.revision}.` : "");
  const state = document.getElementById("state");
  const failing = status.systems.filter((system) => !system.is_healthy).length;
  state.className = failing ? "bad" : "good";
  state.textContent = !status.is_ready ? "Ready for definitions" :
    failing ? `${failing} of ${status.systems.length} systems failing` : `All ${status.systems.length} systems healthy`;
  if (!status.systems.length) return;
  const body = document.getElementById("systems");
  body.replaceChildren();
  for (const system of status.systems) {
    const row = body.insertRow();
    cell(row, system.title || system.system, "", `${system.system} · ${system.connector}`);
    const [word, className] = health(system);
    cell(row, word, className, system.last_error || "");
    cell(row, number.format(system.read_count), "number");
    cell(row, number.format(system.stale_count), "number");
    cell(row, number.format(system.retrying_count), "number");
    cell(row, number.format(system.parked_changes + system.parked_deliveries), "number");
    cell(row, ago(system.read_ok_at, status.now));
    cell(row, ago(system.write_ok_at, status.now));
  }
}

async function refresh() {
  try {
    const answer = await fetch("/v1/status");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json());
  } catch (error) {
    const state = document.getElementById("state");
    state.className = "bad";
    state.textContent = "The hub does not answer.";
  }
  setTimeout(refresh, PERIOD_MS);
}

refresh();
