// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPDX-FileCopyrightText: 2026 The Penstock authors
/*
 * Who ran on which cpu, for how long by the kernel's own task clock.
 *
 * Every cpu books into its own rows of one of two maps. To drain, user space raises control.epoch; each cpu then takes
 * over the other map at its next switch, or at once when the flush program is run on it, and leaves a copy of its sums
 * as of that moment (slot.cut). From then on nobody writes to the map being drained, and its rows add up to exactly
 * what the cpu's sums grew by.
 */
#include "kernel.h"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "sched.h"

/*
 * Longest time between two updates of a running task's clock: a tick at HZ = 100, with room. A cpu without tick is not
 * flushed.
 */
#define LONGEST_LAG_NS	20000000LL
/* 2^-13 = 122 ppm: what the wall clock may gain on the run queue's for long. NTP slews faster, but not for long. */
#define SLEW_SHIFT	13
/* Every so many switches the two clocks are compared; reading the wall clock is the dearest part of a switch. */
#define COMPARE_EVERY	8
#define KHZ_PER_MHZ	1000
#define RETRIES		4
#define MOST_CPUS	1024	/* beyond, a task moved while it runs is not split */

const volatile struct config config = {};

struct control control = {};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);		/* possible cpus */
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

/* Preallocated: LRU drops rows silently and a per-cpu hash multiplies by the possible cpus. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);	/* the profile's */
	__type(key, struct row_key);
	__type(value, struct row);
} rows_even SEC(".maps"), rows_odd SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);		/* possible cpus */
	__type(key, __u32);
	__type(value, struct frequency);
} frequencies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 1);		/* possible cpus */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} cycles SEC(".maps"), instructions SEC(".maps"), llc_misses SEC(".maps");

/* Paths of cgroups that were removed since the last drain: no walk of the tree can name them any more. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, char[PATH_BYTES]);
} removed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, char[PATH_BYTES]);
} scratch SEC(".maps");

/* A result that nobody looks at is left undefined by the compiler, which the verifier takes for a leaked pointer. */
#define use(result) asm volatile("" ::"r"(result))
#define barrier() asm volatile("" ::: "memory")

static __always_inline void open_slot(struct slot *slot)
{
	*(volatile __u32 *)&slot->seq = slot->seq + 1;
	barrier();
}

static __always_inline void close_slot(struct slot *slot)
{
	barrier();
	*(volatile __u32 *)&slot->seq = slot->seq + 1;
}

/* The way to a run queue that needs no kallsyms of data; kernels built without group scheduling do not have it. */
static __always_inline bool has_rq(struct task_struct *task)
{
	return bpf_core_field_exists(task->se.cfs_rq) && bpf_core_field_exists(task->se.cfs_rq->rq);
}

static __always_inline struct slot *slot_of(__u32 cpu)
{
	return bpf_map_lookup_elem(&slots, &cpu);
}

static __always_inline __u64 cgroup_of(struct css_set *set)
{
	struct cgroup *cgroup;

	if (config.cgroup_v1) {
		/* On v1 and hybrid hosts every task is in the v2 root. The index differs between kernel builds. */
		__u32 at = bpf_core_field_offset(set->subsys) +
			   bpf_core_enum_value(enum cgroup_subsys_id, cpuacct_cgrp_id) * sizeof(void *);
		struct cgroup_subsys_state *css = *(struct cgroup_subsys_state **)((void *)set + at);

		cgroup = css->cgroup;
	} else {
		cgroup = set->dfl_cgrp;
	}
	return cgroup->kn->id;
}

/*
 * Busy time of a cpu since attach, in one word with its lowest bit for "busy": an idle cpu holds the sum, a busy one
 * the moment from which it would have had to be busy to have that sum.
 */
static __always_inline __u64 busy_ns(__u64 word, __u64 now)
{
	return word & 1 ? now - (word >> 1) : word >> 1;
}

static __always_inline __u64 busy_word(__u64 busy, __u64 now, bool is_busy)
{
	return is_busy ? (now - busy) << 1 | 1 : busy << 1;
}

static __always_inline __u64 sibling_busy_ns(struct slot *slot, __u64 now)
{
	struct slot *sibling;

	if (!config.siblings || slot->sibling == NO_SIBLING)
		return 0;
	sibling = slot_of(slot->sibling);
	return sibling ? busy_ns(*(volatile __u64 *)&sibling->busy, now) : 0;
}

/* Since this was last asked, for how long both were busy. */
static __always_inline __u64 overlap_ns(struct slot *slot, __u64 now)
{
	__u64 before_ns = slot->sibling_ns, total_ns = sibling_busy_ns(slot, now);

	/* The sibling may have written with a clock read after ours: then nothing is added. */
	if (total_ns <= before_ns)
		return 0;
	slot->sibling_ns = total_ns;
	return total_ns - before_ns;
}

/* Integral of frequency squared on this cpu up to now. */
static __always_inline __u64 frequency_ns(__u32 cpu, __u64 now)
{
	struct frequency *each;
	__u64 mhz2_ns = 0;

	if (!config.frequency)
		return 0;
	each = bpf_map_lookup_elem(&frequencies, &cpu);
	if (!each)
		return 0;
	for (int try = 0; try < RETRIES; try++) {
		__u32 seq = *(volatile __u32 *)&each->seq;
		__u64 mhz = each->mhz;
		__s64 since_ns = now - each->at_ns;

		mhz2_ns = each->mhz2_ns + (since_ns > 0 ? mhz * mhz * since_ns : 0);
		barrier();
		if (!(seq & 1) && seq == *(volatile __u32 *)&each->seq)
			break;
	}
	return mhz2_ns;
}

static __always_inline void read_counter(void *map, struct reading *out)
{
	struct bpf_perf_event_value value = {};

	if (bpf_perf_event_read_value(map, BPF_F_CURRENT_CPU, &value, sizeof(value)))
		return;		/* the last reading stands: nothing is booked */
	out->value = value.counter;
	out->enabled_ns = value.enabled;
	out->running_ns = value.running;
}

/* Growth since the last reading, scaled for the time in which other events had the counter. */
static __always_inline __u64 growth(struct reading *last, const struct reading *now)
{
	__u64 value = now->value - last->value;
	__u64 enabled = now->enabled_ns - last->enabled_ns;
	__u64 running = now->running_ns - last->running_ns;

	*last = *now;
	if (running && running < enabled) {
		__u64 permille = enabled * 1000 / running;

		value = value * permille / 1000;
	}
	return value;
}

static __always_inline void read_counters(struct slot *slot, __u64 *grown)
{
	struct reading reading;

#define READ(n, map)					\
	do {						\
		if (config.counters & (1 << n)) {	\
			reading = slot->readings[n];	\
			read_counter(&map, &reading);	\
			grown[n] = growth(&slot->readings[n], &reading); \
		}					\
	} while (0)
	READ(0, cycles);
	READ(1, instructions);
	READ(2, llc_misses);
#undef READ
}

static __always_inline void add(struct row *row, const struct row *more)
{
	row->run_ns += more->run_ns;
	if (config.siblings)
		row->overlap_ns += more->overlap_ns;
	if (config.counters) {
		for (int n = 0; n < COUNTERS; n++)
			row->counters[n] += more->counters[n];
	}
	if (config.frequency)
		row->mhz2_ns += more->mhz2_ns;
	/* The last name holds: exec renames. */
	row->comm[0] = more->comm[0];
	row->comm[1] = more->comm[1];
	row->flags |= more->flags;
	row->switches += more->switches;
}

/* Books `more` under the slot's key, or counts it as overflow. */
static __always_inline void book(struct slot *slot, const struct row *more)
{
	struct row_key by_tgid = { .tgid = slot->key.tgid };
	const struct row_key *key = config.test_key_tgid_only ? &by_tgid : &slot->key;
	struct row *row;
	long failed;

	slot->now.task_ns += more->run_ns;
	/* Two call sites, kept apart, so that each knows its map and its lookup is inlined. */
	if (slot->epoch & 1) {
		row = bpf_map_lookup_elem(&rows_odd, key);
		if (row) {
			add(row, more);
			return;
		}
		failed = bpf_map_update_elem(&rows_odd, key, more, BPF_NOEXIST);
		use(failed);
	} else {
		row = bpf_map_lookup_elem(&rows_even, key);
		if (row) {
			add(row, more);
			return;
		}
		failed = bpf_map_update_elem(&rows_even, key, more, BPF_NOEXIST);
	}
	if (failed) {
		slot->now.overflow_ns += more->run_ns;
		slot->now.overflows++;
	}
}

/* The same, not inlined, for the rare cases. */
static __noinline int book_apart(struct slot *slot, const struct row *more)
{
	book(slot, more);
	return 0;
}

/* Where a task's stay on a cpu got to. */
struct edge {
	__u64 now;
	__u64 at_ns;	/* wall clock up to which exec_ns holds, a little before now */
	__u64 exec_ns;	/* the task's clock */
	__u32 switches;	/* 1: the stay ends here */
};

/*
 * The wall clock at which the run queue's clock was last brought up to date, which is where the kernel parts one task's
 * time from the next one's: 10 us before the tracepoint where programming a timer leaves a virtual machine.
 */
static __always_inline __u64 edge_ns(struct slot *slot, __u64 clock)
{
	__u64 at_ns = clock + slot->offset_ns;

	return at_ns > slot->now.at_ns ? at_ns : slot->now.at_ns;
}

/* The offset between the two clocks is the least that was seen, give or take what NTP may have slewed since. */
static __always_inline void compare(struct slot *slot, __u64 now, __u64 clock, __u64 since_ns)
{
	__u64 offset = now - clock;
	__u64 least = slot->offset_ns + (since_ns >> SLEW_SHIFT);

	slot->offset_ns = slot->offset_ns && (__s64)(offset - least) > 0 ? least : offset;
}

/*
 * What a task that was moved ran before that, of `run_ns` since the slot was last settled. If nobody left word, the move
 * is under way: its tracepoint comes a moment after the task is in its new cgroup.
 */
static __always_inline __u64 before_move(struct slot *slot, struct task_struct *task, __u64 run_ns)
{
	if (slot->moved_task != (__u64)task)
		return run_ns;
	/* A flush may have gone further than the task's clock, which is what the move left. */
	if (slot->moved_ns < slot->exec_ns)
		return 0;
	return slot->moved_ns - slot->exec_ns < run_ns ? slot->moved_ns - slot->exec_ns : run_ns;
}

/* Names the task that has the cpu, as long as its leader is sure to be there. */
static __always_inline void identify(struct slot *slot, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct css_set *set = task->cgroups;

	slot->css_set = (__u64)set;
	slot->key.cgroup = cgroup_of(set);
	slot->key.tgid = task->tgid;
	slot->key.cpu = slot->cpu;
	/* A dying thread may outlive its leader's task_struct, which is then somebody else's. */
	slot->key.start_ns = leader->tgid == task->tgid ? leader->start_boottime : 0;
	slot->moved_task = 0;
}

static __always_inline __u32 flags_of(struct task_struct *task)
{
	__u32 flags = task->flags;

	if (flags & PF_KTHREAD)
		return ROW_KERNEL_THREAD;
	if ((flags & PF_EXITING) && task->signal->live.counter == 0)
		return ROW_EXITED;
	return 0;
}

/* Books what `task`, which holds the cpu, ran since the slot was last settled. */
static __noinline int settle(struct slot *slot, struct task_struct *task, struct edge *edge)
{
	struct task_struct *leader = task->group_leader;
	struct css_set *set = task->cgroups;
	__s64 run_ns = edge->exec_ns - slot->exec_ns;
	__u64 mhz2_ns, cgroup;
	struct row row = {};

	if (run_ns < 0)
		run_ns = 0;
	slot->now.stolen_ns += (__s64)(edge->at_ns - slot->now.at_ns) - run_ns;
	row.run_ns = run_ns;
	row.switches = edge->switches;
	if ((__u32)leader->tgid != slot->key.tgid)
		leader = task;
	row.comm[0] = *(__u64 *)&leader->comm[0];
	row.comm[1] = *(__u64 *)&leader->comm[8];
	row.flags = flags_of(task);
	row.overlap_ns = overlap_ns(slot, edge->now);
	if (config.frequency) {
		mhz2_ns = frequency_ns(slot->cpu, edge->now);
		row.mhz2_ns = mhz2_ns - slot->mhz2_ns;
		slot->mhz2_ns = mhz2_ns;
	}
	if (config.counters)
		read_counters(slot, row.counters);

	if ((__u64)set != slot->css_set) {
		/* It was moved since, in one hierarchy or another. */
		cgroup = cgroup_of(set);
		slot->css_set = (__u64)set;
		if (cgroup != slot->key.cgroup) {
			struct row before = { .flags = row.flags };

			before.run_ns = before_move(slot, task, run_ns);
			before.comm[0] = row.comm[0];
			before.comm[1] = row.comm[1];
			if (before.run_ns)
				use(book_apart(slot, &before));
			row.run_ns -= before.run_ns;
			slot->key.cgroup = cgroup;
		}
	} else if (config.test_close_at_exit && slot->moved_task == (__u64)task) {
		row.run_ns = before_move(slot, task, run_ns);
	}
	slot->moved_task = 0;
	book(slot, &row);
	slot->exec_ns = edge->exec_ns;
	slot->now.at_ns = edge->at_ns;
	return 0;
}

/* What a task that is being switched out ran since it was switched in, without our having seen that. */
static __always_inline __u64 stay_ns(struct task_struct *task)
{
	__u64 run_ns = task->se.sum_exec_runtime - task->se.prev_sum_exec_runtime;
	__u64 wall_ns;

	/* A dying task leaves its autogroup, which sets prev_sum_exec_runtime anew (sched_move_task). */
	if ((task->flags & PF_EXITING) && has_rq(task) && bpf_core_field_exists(task->sched_info.last_arrival)) {
		wall_ns = task->se.cfs_rq->rq->clock - task->sched_info.last_arrival;
		if (wall_ns > run_ns)
			return wall_ns;
	}
	return run_ns;
}

/*
 * At least one switch was not seen: `prev` is not who we think has the cpu. Whoever that was has its clock still, and
 * so has `prev`. What is left is idle time if the cpu was idle in the end, else nobody knows whose it was.
 */
static __noinline int settle_missed(struct slot *slot, struct task_struct *prev, struct edge *edge)
{
	struct task_struct *lost = (struct task_struct *)slot->task;
	__u64 wall_ns = edge->at_ns - slot->now.at_ns;
	__u64 run_ns = 0, left_ns = wall_ns;
	struct row row = {};

	slot->now.misses++;
	if (prev->pid) {
		run_ns = stay_ns(prev);
		/* Real-time classes leave prev_sum_exec_runtime alone. */
		if (run_ns > wall_ns)
			run_ns = wall_ns;
		left_ns -= run_ns;
	}
	/* If it is on another cpu by now, part of what its clock shows is booked there. */
	if (slot->state == SLOT_BUSY && (__u32)BPF_CORE_READ(lost, tgid) == slot->key.tgid &&
	    BPF_CORE_READ(lost, se.cfs_rq, rq) == prev->se.cfs_rq->rq) {
		row.run_ns = BPF_CORE_READ(lost, se.sum_exec_runtime) - slot->exec_ns;
		if (row.run_ns > left_ns)
			row.run_ns = left_ns;
		row.switches = 1;
		if (!prev->pid)
			/* All of it: to the sibling this cpu was busy until now. */
			row.overlap_ns = overlap_ns(slot, edge->now);
		bpf_probe_read_kernel(row.comm, COMM_BYTES, BPF_CORE_READ(lost, group_leader)->comm);
		if (BPF_CORE_READ(lost, flags) & PF_KTHREAD)
			row.flags = ROW_KERNEL_THREAD;
		left_ns -= row.run_ns;
		use(book_apart(slot, &row));
	}
	slot->now.at_ns = edge->at_ns - run_ns;
	if (!prev->pid) {
		slot->now.idle_ns += left_ns;
		return 0;
	}
	slot->now.missed_ns += left_ns;
	identify(slot, prev);
	edge->exec_ns = prev->se.sum_exec_runtime;
	slot->exec_ns = edge->exec_ns - run_ns;
	use(settle(slot, prev, edge));
	return 0;
}

/* Takes over the new epoch: what was booked so far is of the old one. */
static __always_inline void turn(struct slot *slot, __u32 epoch)
{
	slot->cut = slot->now;
	barrier();
	slot->epoch = epoch;
}

/* `next` has the cpu from here on. */
static __always_inline void begin(struct slot *slot, struct task_struct *next, __u64 now, __u64 at_ns)
{
	bool busy = next->pid != 0;
	__u64 worked_ns = busy_ns(slot->busy, now);

	slot->task = (__u64)next;
	slot->now.at_ns = at_ns;
	slot->state = busy ? SLOT_BUSY : SLOT_IDLE;
	*(volatile __u64 *)&slot->busy = busy_word(worked_ns, now, busy);
	if (!busy)
		return;
	slot->exec_ns = next->se.sum_exec_runtime;
	identify(slot, next);
	if (config.siblings)
		slot->sibling_ns = sibling_busy_ns(slot, now);
	if (config.frequency)
		slot->mhz2_ns = frequency_ns(slot->cpu, now);
}

/* What the counters did while the cpu was idle, or before we looked, is nobody's. */
static __always_inline void skip_counters(struct slot *slot)
{
	__u64 ignored[COUNTERS];

	if (config.counters)
		read_counters(slot, ignored);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct slot *slot = slot_of(bpf_get_smp_processor_id());
	__u32 epoch = *(volatile __u32 *)&control.epoch;
	struct edge edge = { .switches = 1 };
	__u64 clock;

	if (!slot)
		return 0;
	if (config.test_skip_events && ++slot->now.switches % config.test_skip_events == 0)
		return 0;
	open_slot(slot);
	slot->now.switches++;
	if (slot->rule & RULE_QUIET && slot->epoch != epoch)
		/* User space did not wait for this cpu and may be draining the old rows already. */
		turn(slot, epoch);
	if (!has_rq(prev)) {
		edge.now = edge.at_ns = bpf_ktime_get_ns();
	} else {
		clock = prev->se.cfs_rq->rq->clock;
		if (config.siblings || config.frequency || !slot->offset_ns || slot->epoch != epoch ||
		    slot->now.switches % COMPARE_EVERY == 0) {
			edge.now = bpf_ktime_get_ns();
			compare(slot, edge.now, clock, edge.now - slot->compared_ns);
			slot->compared_ns = edge.now;
		}
		edge.at_ns = edge_ns(slot, clock);
		if (!edge.now)
			edge.now = edge.at_ns;
	}

	if (slot->state == SLOT_UNKNOWN || slot->hold) {
		slot->hold = 0;
		slot->busy = 0;
		skip_counters(slot);
	} else if (slot->task != (__u64)prev) {
		use(settle_missed(slot, prev, &edge));
	} else if (slot->state == SLOT_IDLE) {
		slot->now.idle_ns += edge.at_ns - slot->now.at_ns;
		skip_counters(slot);
	} else {
		edge.exec_ns = prev->se.sum_exec_runtime;
		use(settle(slot, prev, &edge));
	}

	slot->now.at_ns = edge.at_ns;
	if (slot->epoch != epoch)
		turn(slot, epoch);
	begin(slot, next, edge.now, edge.at_ns);
	close_slot(slot);
	return 0;
}

/*
 * How far `task`, running here, got: its clock as of the last update of the run queue's, and the wall clock of that.
 * Other cpus may update both under the run queue's lock, hence the second look.
 */
static __always_inline void look(struct slot *slot, struct task_struct *task, struct edge *edge)
{
	struct rq *rq;

	edge->at_ns = edge->now;
	edge->exec_ns = task->se.sum_exec_runtime;
	if (!has_rq(task))
		return;
	rq = task->se.cfs_rq->rq;
	for (int try = 0; try < RETRIES; try++) {
		__u64 start = *(volatile __u64 *)&task->se.exec_start;
		__u64 clock = *(volatile __u64 *)&rq->clock;
		__s64 more = *(volatile __u64 *)&rq->clock_task - start;

		edge->exec_ns = *(volatile __u64 *)&task->se.sum_exec_runtime;
		barrier();
		if (start != *(volatile __u64 *)&task->se.exec_start || clock != *(volatile __u64 *)&rq->clock)
			continue;
		if (more > 0 && more < LONGEST_LAG_NS)
			edge->exec_ns += more;
		compare(slot, edge->now, clock, 0);
		edge->at_ns = edge_ns(slot, clock);
		break;
	}
}

/* Never attached: user space runs it on each busy cpu (BPF_F_TEST_RUN_ON_CPU). It is an interrupt there. */
SEC("raw_tp")
int flush(void *ctx)
{
	struct slot *slot = slot_of(bpf_get_smp_processor_id());
	struct task_struct *task = bpf_get_current_task_btf();
	struct edge edge = { .now = bpf_ktime_get_ns() };
	__u32 epoch = *(volatile __u32 *)&control.epoch;

	if (!slot || slot->epoch == epoch)
		return 0;
	open_slot(slot);
	slot->now.flushes++;
	if (slot->state == SLOT_UNKNOWN) {
		begin(slot, task, edge.now, edge.now);
	} else if (slot->task != (__u64)task) {
		/* A missed event: the next switch settles it. */
	} else if (slot->state == SLOT_IDLE) {
		slot->now.idle_ns += edge.now - slot->now.at_ns;
		slot->now.at_ns = edge.now;
	} else {
		look(slot, task, &edge);
		if (edge.at_ns > slot->now.at_ns)
			use(settle(slot, task, &edge));
	}
	turn(slot, epoch);
	close_slot(slot);
	return 0;
}

/* Never attached: says which process of the kernel's numbering the caller is. */
SEC("raw_tp")
int identity(void *ctx)
{
	return bpf_get_current_pid_tgid() >> 32;
}

SEC("raw_tp/sched_process_fork")
int BPF_PROG(sched_process_fork, struct task_struct *parent, struct task_struct *child)
{
	if (BPF_CORE_READ(child, pid) == BPF_CORE_READ(child, tgid))
		__sync_fetch_and_add(&control.forks, 1);
	return 0;
}

/* Fires per thread, and before the task's last switch: it ends nothing. */
SEC("raw_tp/sched_process_exit")
int BPF_PROG(sched_process_exit, struct task_struct *task)
{
	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		__sync_fetch_and_add(&control.exits, 1);
	if (config.test_close_at_exit) {
		struct task_struct *current = bpf_get_current_task_btf();
		struct slot *slot = slot_of(bpf_get_smp_processor_id());
		struct edge edge = { .now = bpf_ktime_get_ns() };

		if (slot && slot->task == (__u64)current) {
			look(slot, current, &edge);
			slot->moved_ns = edge.exec_ns + edge.now - edge.at_ns;
			slot->moved_task = (__u64)current;
		}
	}
	return 0;
}

/* Global, so that the verifier looks at it once and not once per cpu. `tgid` 0: only the task at `moved`. */
__noinline int note_move(__u32 cpu, __u64 moved, __u32 tgid)
{
	struct slot *slot = slot_of(cpu);
	struct task_struct *task;

	if (!slot)
		return 1;
	if (slot->state != SLOT_BUSY)
		return 0;
	task = (struct task_struct *)slot->task;
	if (tgid ? (__u32)BPF_CORE_READ(task, tgid) != tgid : slot->task != moved)
		return 0;
	/* As of its last tick; the kernel's own accounting splits there too. */
	slot->moved_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
	slot->moved_task = (__u64)task;
	return 0;
}

/* Tasks that run while another process moves them: their clock now parts the old cgroup's time from the new one's. */
SEC("raw_tp/cgroup_attach_task")
int BPF_PROG(cgroup_attach_task, struct cgroup *to, const char *path, struct task_struct *leader, bool threadgroup)
{
	__u32 tgid = threadgroup ? BPF_CORE_READ(leader, tgid) : 0;

	if (BPF_CORE_READ(to, root, hierarchy_id) != config.hierarchy_id)
		return 0;
	for (__u32 cpu = 0; cpu < MOST_CPUS; cpu++) {
		if (note_move(cpu, (__u64)leader, tgid))
			break;
	}
	return 0;
}

SEC("raw_tp/cgroup_rmdir")
int BPF_PROG(cgroup_rmdir, struct cgroup *cgroup, const char *path)
{
	__u32 zero = 0;
	__u64 id = BPF_CORE_READ(cgroup, kn, id);
	char *text = bpf_map_lookup_elem(&scratch, &zero);

	if (!text || BPF_CORE_READ(cgroup, root, hierarchy_id) != config.hierarchy_id)
		return 0;
	if (bpf_probe_read_kernel_str(text, PATH_BYTES, path) > 0)
		bpf_map_update_elem(&removed, &id, text, BPF_ANY);
	return 0;
}

/* A change may be announced on another cpu than the one it names. */
SEC("raw_tp/cpu_frequency")
int BPF_PROG(cpu_frequency, unsigned int khz, unsigned int named)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 cpu = named;
	struct frequency *each = bpf_map_lookup_elem(&frequencies, &cpu);
	__u64 mhz;

	if (!each)
		return 0;
	mhz = each->mhz;
	*(volatile __u32 *)&each->seq = each->seq + 1;
	barrier();
	each->mhz2_ns += mhz * mhz * (now - each->at_ns);
	each->at_ns = now;
	each->mhz = khz / KHZ_PER_MHZ;
	barrier();
	*(volatile __u32 *)&each->seq = each->seq + 1;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
