"""How long the guardrails take in a repository of a size that few teams reach: 5,000 files of TypeScript."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.report import Section, table
from benchmarks.timing import say, seconds, timed

FILES = 5_000
_FAIRWAY = Path(sys.executable).parent / "fairway"
_SSE = ("sse-typescript",)
_ALL = ("sse-typescript", "delivery", "environment", "settings-secrets")

# Parts as they stand in such code; a file is some of them. None breaks a rule.
_PARTS = (
    """
    export interface {Name}Input {{ id: string; projectId: string; hours: number; note?: string | null }}
    """,
    """
    export async function create{Name}(db: Database, input: {Name}Input, userId: string): Promise<{Name}Input> {{
      const project = await db.project.findUnique({{ where: {{ id: input.projectId }}, include: {{ members: true }} }});
      if (!project) throw new NotFound(`project ${{input.projectId}} is not there`);
      if (!project.members.some((member) => member.userId === userId)) throw new Forbidden("not a member");
      const made = await db.{name}.create({{ data: {{ ...input, createdBy: userId, createdAt: new Date() }} }});
      const event = {{ type: "{name}.created", data: {{ id: made.id }} }};
      await publish(project.members.map((member) => member.userId), event);
      return made;
    }}
    """,
    """
    const LIMIT = Number(process.env.PORT ?? 3000) % 97;
    export const {name}Router = router({{
      list: protectedProcedure.input(z.object({{ page: z.number().int().min(0) }})).query(async ({{ ctx, input }}) => {{
        const page = {{ skip: input.page * LIMIT, take: LIMIT }};
        const rows = await ctx.db.{name}.findMany({{ ...page, orderBy: {{ createdAt: "desc" }} }});
        return rows.map(({{ id, hours, note }}) => ({{ id, hours, note: note ?? "" }}));
      }}),
      remove: protectedProcedure.input(z.object({{ id: z.string() }})).mutation(({{ ctx, input }}) =>
        ctx.db.{name}.delete({{ where: {{ id: input.id }} }}),
      ),
    }});
    """,
    """
    export class {Name}Cache {{
      readonly #entries = new Map<string, {{ value: number; until: number }}>();
      get(key: string): number | undefined {{
        const found = this.#entries.get(key);
        if (found && found.until > Date.now()) return found.value;
        this.#entries.delete(key);
        return undefined;
      }}
      set(key: string, value: number, forMs = 60_000): void {{
        this.#entries.set(key, {{ value, until: Date.now() + forMs }});
      }}
    }}
    """,
    """
    export function total{Name}(rows: readonly {{ hours: number; rate?: number }}[]) {{
      let hours = 0;
      let cost = 0;
      for (const row of rows) {{
        hours += row.hours;
        cost += row.hours * (row.rate ?? 0);
      }}
      return {{ hours, cost: Math.round(cost * 100) / 100 }};
    }}
    """,
)
_COMPONENT = """
interface {Name}Props {{ rows: {{ id: string; hours: number }}[]; onPick: (id: string) => void }}
export function {Name}Table({{ rows, onPick }}: {Name}Props) {{
  const [open, setOpen] = useState<string | null>(null);
  return (
    <table className="w-full text-sm">
      <tbody>
        {{rows.map((row) => (
          <tr key={{row.id}} aria-expanded={{open === row.id}} onClick={{() => setOpen(row.id)}}>
            <td>{{row.id}}</td>
            <td>{{row.hours.toFixed(1)}}</td>
            <td><button type="button" onClick={{() => onPick(row.id)}}>Pick</button></td>
          </tr>
        ))}}
      </tbody>
    </table>
  );
}}
"""
_OTHERS = {
    "packages/api/src/sse/event-bus.ts": "export const publish = (userId: string) => bus.publish(channelOf(userId));",
    "packages/api/src/sse/subscription-policy.ts": "export const audiences = (userId: string) => [`user:${userId}`];",
    "apps/web/src/app/api/sse/timeline/route.ts": 'export const runtime = "nodejs";',
    "Dockerfile.prod": "FROM node:22 AS runner\nUSER node\nFROM runner AS migrator\n",
    "docker-compose.cicd.yml": "services:\n  app:\n    image: ${APP_IMAGE:?}\n",
    "package.json": json.dumps({"scripts": {"db:push": "prisma db push", "start": "next start"}}),
}


@dataclass
class _Took:
    """What some runs took: seconds from start to end, and seconds of a processor in all their processes."""

    whole: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def measure(*, rounds: int) -> Section:
    """Time ``fairway guardrails check`` on the whole of it, as a command, from its start to its end."""
    with tempfile.TemporaryDirectory(prefix="fairway-bench-guardrails-") as name:
        root = Path(name)
        lines = _write(root)
        took: dict[tuple[str, ...], _Took] = {presets: _Took() for presets in (_SSE, _ALL)}
        for number in range(rounds + 1):
            for presets, seen in took.items():
                _configure(root, presets)
                before = _processor_s()
                whole, processor = timed(lambda: _check(root)), _processor_s() - before
                say(f"round {number}: {len(presets)} presets {whole:.2f} s, {processor:.2f} s of a processor")
                if number:  # the first one reads the files from the disk
                    seen.whole.append(whole)
                    seen.processor.append(processor)
        _configure(root, _ALL)
        return _section(took, rounds, lines, json.loads(_check(root)))


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _write(root: Path) -> int:
    """Write the repository, the same each time; return its lines of TypeScript."""
    chance = random.Random(6)
    lines = 0
    for number in range(FILES):
        name = f"item{number}"
        component = number % 4 == 0
        parts = (
            [_COMPONENT, *chance.sample(_PARTS[3:], 1)] if component else chance.choices(_PARTS, k=chance.randint(2, 8))
        )
        text = 'import { publish } from "@acme/events";\n' + "".join(
            part.format(name=f"{name}x{at}", Name=f"Item{number}x{at}") for at, part in enumerate(parts)
        )
        file = root / f"packages/area{number % 40}/src/{name}.{'tsx' if component else 'ts'}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        lines += text.count("\n")
    for path, text in _OTHERS.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    _configure(root, _ALL)
    subprocess.run(["git", "init", "--quiet", root], check=True)
    subprocess.run(["git", "-C", root, "add", "--all"], check=True)
    return lines


def _configure(root: Path, presets: tuple[str, ...]) -> None:
    images = 'app = "ghcr.io/acme/x-app"\nmigrator = "ghcr.io/acme/x-migrator"\n'
    text = f'project = "bench"\n[images]\n{images}[guardrails]\npresets = {json.dumps(presets)}\n'
    (root / "fairway.toml").write_text(text, encoding="utf-8")


def _check(root: Path) -> str:
    done = subprocess.run(
        [_FAIRWAY, "guardrails", "check", "--format", "json"], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"the repository is not as the rules have it:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def _section(took: dict[tuple[str, ...], _Took], rounds: int, lines: int, report: dict[str, Any]) -> Section:
    rows = [
        (", ".join(f"`{preset}`" for preset in presets), seconds(seen.whole), seconds(seen.processor))
        for presets, seen in took.items()
    ]
    rules, files, load = len(report["rules"]), report["files"], os.getloadavg()[1]
    text = f"""\
`fairway guardrails check` as a whole command, {rounds} rounds, on a made repository of {FILES} files of TypeScript
({lines} lines, a quarter of them TSX). The SSE rules look at three of the files; the others at all of them:
with every preset {rules} rules looked at {files} files. What it takes of a processor is spread over all cores; the
whole is as others left them: the load was {load:.1f}.

{table(("presets", "whole", "of a processor"), rows)}"""
    every = took[_ALL]
    short = f"{seconds(every.whole)}, {seconds(every.processor)} of a processor"
    return Section(
        "Guardrails", (f"Guardrails hold {FILES} files of TypeScript against {rules} rules in {short}.",), text
    )
