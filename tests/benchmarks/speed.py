"""`make bench-speed`: how fast every stage is, beside what a user would write instead."""

if __name__ == "__main__":  # the processes of the hand-written loop import this file too
    from measuring import main

    main()
