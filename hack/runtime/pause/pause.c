/*
 * The program of every Pod sandbox: holds the Pod's namespaces open and does nothing, in less than a page.
 * Freestanding: no C library, no start-up code.
 *
 * It is process 1 of Pods that share their process namespace, so children that lose their parent become its own:
 * SIGCHLD is ignored, which makes the kernel reap them. SIGTERM and SIGINT end it; as process 1 it would otherwise
 * not receive them at all.
 */
#if !defined(__x86_64__)
#error "pause.c knows the system calls of x86-64 only"
#endif

enum { SYS_rt_sigaction = 13, SYS_rt_sigreturn = 15, SYS_pause = 34, SYS_exit_group = 231 };
enum { SIGINT = 2, SIGTERM = 15, SIGCHLD = 17 };
enum { SA_RESTORER = 0x04000000 };

struct sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

static void (*const ignore)(int) = (void (*)(int))1;

static long call(long number, long a, long b, long c, long d)
{
	long result;
	register long fourth __asm__("r10") = d;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
			 : "rcx", "r11", "memory");
	return result;
}

static void leave(int signal)
{
	(void)signal;
	call(SYS_exit_group, 0, 0, 0, 0);
}

__attribute__((naked)) static void restore(void)
{
	__asm__("mov $15, %eax\n\tsyscall"); /* rt_sigreturn */
}

static void on(int signal, void (*handler)(int))
{
	struct sigaction action = { handler, SA_RESTORER, restore, 0 };

	call(SYS_rt_sigaction, signal, (long)&action, 0, sizeof(action.mask));
}

void _start(void)
{
	on(SIGCHLD, ignore);
	on(SIGTERM, leave);
	on(SIGINT, leave);
	for (;;)
		call(SYS_pause, 0, 0, 0, 0);
}
