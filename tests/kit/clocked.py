"""A network of streams clock by clock, with stalls drawn from a seed: slow and plain, independent of nn2hls/size."""

from collections import deque


class Fifo:
    """Holds (clock from which it can be read); a place that was read is free some clocks later."""

    def __init__(self, depth, write, free):
        self.depth, self.write, self.free = depth, write, free
        self.tokens, self.freed = deque(), deque()

    def readable(self, clock):
        return bool(self.tokens) and self.tokens[0] <= clock

    def room(self, clock):
        while self.freed and self.freed[0] <= clock:
            self.freed.popleft()
        return len(self.tokens) + len(self.freed) < self.depth

    def read(self, clock):
        self.tokens.popleft()
        self.freed.append(clock + self.free)

    def push(self, clock):
        self.tokens.append(clock + self.write)


class Machine:
    """An actor as a pipeline that moves as a whole or not at all; its age counts the clocks in which it moved."""

    def __init__(self, actor, events):
        self.actor, self.events = actor, events
        self.step, self.age, self.last_step, self.last_fire = 0, 0, -(10**9), -(10**9)
        self.inside, self.written, self.taken = deque(), [], []

    @property
    def done(self):
        return self.step == self.events * self.actor.steps and not self.inside

    def clock(self, now, fifos_in, fifos_out):
        """One clock; whether anything moved."""
        moved = self.send(now, fifos_out)
        if self.inside and self.inside[0] <= self.age:
            return moved
        moved = self.take(now, fifos_in) or moved
        moved = self.send(now, fifos_out) or moved
        if not (self.inside and self.inside[0] <= self.age):
            self.age += 1
            moved = moved or bool(self.inside)
        return moved

    def send(self, now, fifos_out):
        if not self.inside or self.inside[0] > self.age or not all(f.room(now) for f in fifos_out):
            return False
        if self.written and self.written[-1] == now:
            return False
        self.inside.popleft()
        for fifo in fifos_out:
            fifo.push(now)
        self.written.append(now)
        return True

    def take(self, now, fifos_in):
        actor = self.actor
        if self.step == self.events * actor.steps:
            return False
        step = self.step % actor.steps
        due = [f for t, f in zip(actor.takes, fifos_in, strict=True) if t.start <= step < t.start + t.tokens]
        fires = step in actor.fires.tolist()
        if not all(f.readable(now) for f in due) or (fires and self.age < self.last_fire + actor.spacing):
            return False
        for fifo in due:
            fifo.read(now)
        self.taken.append(now)
        if fires:
            self.last_fire = self.age
            self.inside.extend(self.age + actor.latency + k for k in range(actor.gives))
        self.step += 1
        return True


def clocked(actors, depths, write=1, free=1, events=2, stalls=0.0, rng=None, patience=200):
    """(complete, {value: clocks of its tokens}, clocks of steps of each actor), clock by clock."""
    fifos = {(t.value, a.name): Fifo(depths[t.value, a.name], write, free) for a in actors for t in a.takes}
    machines = [Machine(a, events) for a in actors]
    ins = [[fifos[t.value, a.name] for t in a.takes] for a in actors]
    outs = [[f for (value, _), f in fifos.items() if value == a.name] if a.name else [] for a in actors]
    now, idle = 0, 0
    while idle < patience and not all(m.done for m in machines):
        moved = False
        for machine, own_in, own_out in zip(machines, ins, outs, strict=True):
            if stalls and rng.random() < stalls:
                continue
            moved = machine.clock(now, own_in, own_out) or moved
        idle = 0 if moved else idle + 1
        now += 1
    done = all(m.done for m in machines)
    return done, {a.name: m.written for a, m in zip(actors, machines, strict=True)}, [m.taken for m in machines]
