"""greenstalk drives every command of the protocol: greenstalk_client.py HOST PORT."""

import sys
import threading
import time

import greenstalk

address = (sys.argv[1], int(sys.argv[2]))
failures = 0


def check(what, passed, seen=""):
    global failures
    print(f"{'PASS' if passed else 'FAIL'}: greenstalk: {what}" + ("" if passed else f" ({seen!r})"))
    failures += not passed


def equal(what, seen, wanted):
    check(what, seen == wanted, seen)


def raises(what, error, function, *arguments, **named):
    try:
        seen = function(*arguments, **named)
    except greenstalk.Error as raised:
        seen = type(raised)
    check(what, seen is error, seen)


def connect(**named):
    return greenstalk.Client(address, **named)


tube = "greenstalk"
with connect(use=tube, watch=tube) as client:
    # Tubes.
    equal("list-tube-used after use", client.using(), tube)
    equal("list-tubes-watched: only the one watched", client.watching(), [tube])
    equal("watch counts", client.watch("another"), 2)
    equal("ignore counts", client.ignore("another"), 1)
    raises("ignore of the last one is NOT_IGNORED", greenstalk.NotIgnoredError, client.ignore, tube)
    check("list-tubes has the tube", tube in client.tubes(), client.tubes())

    # The life of a job.
    first = client.put("one", priority=10, ttr=30)
    second = client.put("two", priority=5, ttr=30)
    check("put gives growing ids", second > first, (first, second))
    equal("peek-ready shows the most urgent", client.peek_ready().id, second)
    equal("peek shows the body", client.peek(first).body, "one")
    job = client.reserve(timeout=5)
    equal("reserve gives the most urgent", (job.id, job.body), (second, "two"))
    stats = client.stats_job(job)
    equal("stats-job says reserved", stats["state"], "reserved")
    equal("stats-job has the tube, as text", stats["tube"], tube)
    equal("stats-job has numbers as numbers", (stats["pri"], stats["ttr"], stats["reserves"]), (5, 30, 1))
    client.touch(job)
    check("touch: the time left is whole again", client.stats_job(job)["time-left"] >= 28)
    client.release(job, priority=20, delay=0)
    equal("release: with another priority the other is first", client.reserve(timeout=5).id, first)
    client.delete(first)
    raises("delete of what is gone is NOT_FOUND", greenstalk.NotFoundError, client.delete, first)
    job = client.reserve_job(second)
    equal("reserve-job", job.body, "two")
    client.bury(job, priority=7)
    equal("bury", client.stats_job(second)["state"], "buried")
    equal("peek-buried", client.peek_buried().id, second)
    equal("kick counts", client.kick(10), 1)
    job = client.reserve(timeout=5)
    client.release(job, delay=3600)
    equal("peek-delayed", client.peek_delayed().id, second)
    client.kick_job(second)
    equal("kick-job", client.stats_job(second)["state"], "ready")
    client.delete(second)
    raises("peek of what is gone is NOT_FOUND", greenstalk.NotFoundError, client.peek, second)
    raises("reserve-with-timeout 0 of nothing is TIMED_OUT", greenstalk.TimedOutError, client.reserve, timeout=0)

    # Time.
    late = client.put("late", delay=1)
    equal("a delayed job is delayed", client.stats_job(late)["state"], "delayed")
    job = client.reserve(timeout=5)
    equal("and is given when its delay is over", job.id, late)
    client.delete(job)
    short = client.put("short", ttr=1)
    job = client.reserve(timeout=5)
    raises("DEADLINE_SOON in the last second", greenstalk.DeadlineSoonError, client.reserve, timeout=5)
    client.delete(short)
    client.pause_tube(tube, 3600)
    paused = client.put("paused")
    raises("a paused tube gives nothing", greenstalk.TimedOutError, client.reserve, timeout=0)
    stats = client.stats_tube(tube)
    equal("stats-tube tells of the pause", stats["pause"], 3600)
    equal("stats-tube counts what is ready", stats["current-jobs-ready"], 1)
    client.pause_tube(tube, 0)
    client.delete(client.reserve(timeout=5))

    # Somebody waits.
    received = []
    with connect(watch=tube) as waiting:
        thread = threading.Thread(target=lambda: received.append(waiting.reserve(timeout=10)))
        thread.start()
        deadline = time.monotonic() + 10
        while client.stats_tube(tube)["current-waiting"] < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        handed = client.put("handed over")
        thread.join()
        equal("a job goes to whoever waits", received[0].id, handed)
        raises("another's job cannot be deleted", greenstalk.NotFoundError, client.delete, handed)
    job = client.reserve(timeout=5)
    equal("a client that is gone has given its job back", job.id, handed)
    client.delete(job)

    # What is refused.
    raises("a job over the limit is JOB_TOO_BIG", greenstalk.JobTooBigError, client.put, "x" * 70000)
    equal("and the connection goes on", client.using(), tube)
    raises("a name over 200 bytes is BAD_FORMAT", greenstalk.BadFormatError, client.use, "x" * 201)
    raises("a tube that is not there is NOT_FOUND", greenstalk.NotFoundError, client.stats_tube, "nothing-here")

    # Bytes are kept as they are.
    with connect(encoding=None, use="bytes", watch="bytes") as raw:
        body = bytes(range(256)) * 16 + b"\r\n"
        raw.put(body)
        job = raw.reserve(timeout=5)
        check("a body of all bytes comes back as it was", job.body == body)
        raw.delete(job)

    stats = client.stats()
    wanted = {"current-jobs-ready", "cmd-put", "total-jobs", "version", "uptime", "id", "hostname", "draining"}
    check("stats has its keys", wanted <= stats.keys(), wanted - stats.keys())
    equal("nothing is left over", stats["current-jobs-ready"] + stats["current-jobs-buried"], 0)

sys.exit(1 if failures else 0)
