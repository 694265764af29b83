/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SPDX-FileCopyrightText: 2026 The Penstock authors */
/*
 * What sched.bpf.c and bpf/sched.py share. Every struct is laid out without holes, so that NumPy can map it; the
 * dtypes in bpf/layout.py must follow any change here (tests/bpf compares them with the object's BTF).
 */
#ifndef PENSTOCK_SCHED_H
#define PENSTOCK_SCHED_H

#define COMM_BYTES	16
#define PATH_BYTES	256
#define COUNTERS	3	/* cycles, instructions, last-level cache misses */

#define NO_SIBLING	0xffffffffU

/* row.flags */
#define ROW_KERNEL_THREAD	1
#define ROW_EXITED		2	/* the whole thread group is dead */

/* slot.state */
#define SLOT_UNKNOWN	0	/* nothing was seen on this cpu yet */
#define SLOT_IDLE	1
#define SLOT_BUSY	2

/* slot.rule, written by user space only */
#define RULE_QUIET	1	/* never interrupted: its buffer changes at its next switch */

/* Written by user space before load. */
struct config {
	__u32 cgroup_v1;	/* 0: the v2 hierarchy, 1: cpuacct's */
	__s32 hierarchy_id;	/* of that hierarchy; the v2 one is 0 */
	__u32 counters;		/* bit n: counter n is open on this host */
	__u32 frequency;	/* 1: cpu_frequency is traced */
	__u32 siblings;		/* 1: slots name SMT siblings */
	/* Wrong on purpose: tests show that each of these is seen. */
	__u32 test_close_at_exit;
	__u32 test_key_tgid_only;
	__u32 test_skip_events;	/* n: every n-th switch is not seen */
};

/* Shared while running. */
struct control {
	__u32 epoch;		/* user space writes it; its lowest bit names the rows in use */
	__u32 pad;
	__u64 forks;		/* processes, not threads */
	__u64 exits;
};

struct row_key {
	__u64 start_ns;		/* of the process since boot; 0: its leader was gone already */
	__u64 cgroup;
	__u32 tgid;
	__u32 cpu;
};

struct row {
	__u64 run_ns;		/* task clock */
	__u64 overlap_ns;	/* wall time in which the SMT sibling was busy too */
	__u64 counters[COUNTERS];
	__u64 mhz2_ns;		/* integral of frequency squared over the run time */
	__u64 comm[COMM_BYTES / 8];	/* of the process; junk may follow its first NUL */
	__u32 flags;
	__u32 switches;
};

/* Sums since the programs were attached; at_ns is the wall clock (CLOCK_MONOTONIC) up to which they hold. */
struct totals {
	__u64 at_ns;
	__u64 task_ns;		/* what rows and overflow hold */
	__s64 stolen_ns;	/* busy wall time in no task's clock: steal, and interrupts where those are accounted */
	__u64 idle_ns;
	__u64 missed_ns;	/* wall time of which a missed event hides whose it was */
	__u64 overflow_ns;	/* task time that found no free row */
	__u64 switches;
	__u64 misses;
	__u64 overflows;
	__u64 flushes;
};

struct reading {
	__u64 value;
	__u64 enabled_ns;
	__u64 running_ns;
};

/* One per possible cpu. Written by that cpu; user space reads it through a mapping and checks seq. */
struct slot {
	__u32 seq;		/* odd while it is being written */
	__u32 epoch;
	__u32 state;
	__u32 rule;
	__u32 hold;		/* set by user space for an offline cpu: start anew at the next switch */
	__u32 sibling;
	__u32 cpu;
	__u32 pad;
	__u64 task;		/* address of the running task: its identity while it runs */
	__u64 exec_ns;		/* its clock when last booked */
	__u64 css_set;
	struct row_key key;	/* of its process */
	__u64 busy;		/* see busy_ns(): one word, so that the sibling can read it */
	__u64 sibling_ns;	/* the sibling's busy time when last booked */
	__u64 offset_ns;	/* wall clock minus the run queue's clock */
	__u64 compared_ns;	/* when the two were last compared */
	__u64 mhz2_ns;
	__u64 moved_task;	/* left here by cgroup_attach_task, on whatever cpu that ran */
	__u64 moved_ns;
	struct reading readings[COUNTERS];
	struct totals now;
	struct totals cut;	/* `now` as it was when `epoch` was taken over */
};

/* One per possible cpu; cpu_frequency writes it, on any cpu. */
struct frequency {
	__u32 seq;
	__u32 mhz;
	__u64 at_ns;
	__u64 mhz2_ns;
};

#endif /* PENSTOCK_SCHED_H */
