from disync.cli import main

main()
