"use strict";

/* Text with `code` in it. */
function tell_text(text, place) {
  place.replaceChildren();
  text.split("`").forEach((part, number) => {
    if (number % 2 === 0) return place.append(part);
    const code = document.createElement("code");
    code.textContent = part;
    return place.append(code);
  });
}

function make(tag, text, class_name) {
  const element = document.createElement(tag);
  if (text) tell_text(text, element);
  if (class_name) element.className = class_name;
  return element;
}

function name_of(schema) { return schema.$ref.split("/").pop(); }

/* What a value may be, in words; shapes are links to their place below. */
function tell_type(schema, place) {
  const several = schema.anyOf || schema.oneOf || (schema.allOf && schema.allOf.length ? schema.allOf : null);
  if (schema.$ref) {
    const link = make("a", name_of(schema));
    link.href = `#${name_of(schema)}`;
    place.append(link);
  } else if (several) {
    several.forEach((each, number) => { if (number) place.append(" or "); tell_type(each, place); });
  } else if (schema.enum) {
    place.append(schema.enum.join(", "));
  } else if (schema.type === "array") {
    place.append("list of ");
    tell_type(schema.items || {}, place);
  } else {
    const type = Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type || "anything";
    place.append(schema.format ? `${type} (${schema.format})` : type);
  }
}

function tell_table(rows) {
  const table = make("table");
  const body = table.createTBody();
  for (const [name, schema, is_required, meaning] of rows) {
    const row = body.insertRow();
    const head = make("th");
    head.scope = "row";
    head.append(make("code", name), is_required ? make("small", "required") : "");
    row.append(head);
    tell_type(schema, row.insertCell());
    tell_text(meaning || schema.description || "", row.insertCell());
  }
  return table;
}

function tell_shape(shape) {
  const required = new Set(shape.required || []);
  const rows = Object.entries(shape.properties || {}).map(([name, each]) => [name, each, required.has(name)]);
  if (rows.length) return tell_table(rows);
  return make("p", shape.enum ? shape.enum.join(", ") : shape.type || "");
}

function tell_answers(operation) {
  return Object.entries(operation.responses).map(([status, answer]) => {
    const [content] = Object.values(answer.content || {});
    return [status, (content && content.schema) || { type: "nothing" }, false, answer.description];
  });
}

function add_part(place, title, table) {
  place.append(make("h4", title), table);
}

function tell_route(path, method, operation, shapes) {
  const route = make("details", "", "route");
  const head = make("summary");
  head.append(make("b", method.toUpperCase(), method), make("code", path), make("span", operation.summary));
  route.append(head);
  for (const text of (operation.description || "").split("\n\n")) route.append(make("p", text));
  const given = (operation.parameters || []).map((each) => [each.name, each.schema, each.required, each.description]);
  if (given.length) add_part(route, "Parameters", tell_table(given));
  if (operation.requestBody) {
    const [[media, { schema }]] = Object.entries(operation.requestBody.content);
    const shape = schema.$ref ? shapes[name_of(schema)] : schema;
    add_part(route, `Body: ${media}`, tell_shape(shape));
    if (shape.description) route.append(make("p", shape.description));
  }
  add_part(route, "Answers", tell_table(tell_answers(operation)));
  return route;
}

function show(document_) {
  const place = document.getElementById("routes");
  tell_text(document_.info.description, document.getElementById("about"));
  const shapes = document_.components.schemas;
  const sections = new Map();
  for (const [path, methods] of Object.entries(document_.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const name = (operation.tags || ["more"])[0];
      if (!sections.has(name)) sections.set(name, make("section"));
      sections.get(name).append(tell_route(path, method, operation, shapes));
    }
  }
  for (const name of [...sections.keys()].sort()) {
    sections.get(name).prepend(make("h2", name));
    place.append(sections.get(name));
  }
  const last = make("section");
  last.append(make("h2", "Shapes"));
  for (const [name, shape] of Object.entries(shapes).sort()) {
    const each = make("details", "", "route");
    each.id = name;
    each.append(make("summary", name), shape.description ? make("p", shape.description) : "", tell_shape(shape));
    last.append(each);
  }
  place.append(last);
}

function open_target() {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}

async function load() {
  try {
    const answer = await fetch("/v1/openapi.json");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json());
    open_target();
  } catch (error) {
    document.getElementById("about").textContent = "The hub does not answer; load the page again in a moment.";
  }
}

addEventListener("hashchange", open_target);
load();
